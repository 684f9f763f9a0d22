// Who of the stream is seen where: the layout picker.

import type { Api, Layout } from '../api';
import { icon } from '../icons';
import { element } from '../room';

const ARRANGEMENTS = [
  ['grid', 'Grid'],
  ['spotlight', 'Spotlight'],
  ['sidebar', 'Sidebar'],
  ['picture-in-picture', 'Picture in picture'],
] as const;

const section = element('direction');
const status = element('direction-status');
const follow = element<HTMLInputElement>('follow');
const fill = element<HTMLInputElement>('fill');
const large = element<HTMLInputElement>('large');
const named = element<HTMLInputElement>('named');

/** As at a stream's start. */
const AT_FIRST: Layout = { type: 'grid', scaling: 'fit', focus: null, follow_speaker: false, pinned: null, screens: 'large', names: {}, show_names: false, transition: 'smooth' };

export class Direction {
  layout: Layout = AT_FIRST;
  private stream: string | null = null;
  // The layout is what the server has, and not that of a stream's start.
  private known = false;
  // A change that is on its way: what is heard meanwhile is older.
  private changing = 0;
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    private readonly api: Api,
    private readonly changed: () => void,
  ) {
    for (const [type, words] of ARRANGEMENTS) {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet' });
      button.append(icon(type), words);
      button.dataset.layout = type;
      button.addEventListener('click', () => void this.change({ type }));
      this.buttons.set(type, button);
    }
    element('arrangements').replaceChildren(...this.buttons.values());
    follow.addEventListener('change', () => void this.change({ follow_speaker: follow.checked }));
    fill.addEventListener('change', () => void this.change({ scaling: fill.checked ? 'fill' : 'fit' }));
    large.addEventListener('change', () => void this.change({ screens: large.checked ? 'large' : 'tiles' }));
    named.addEventListener('change', () => void this.change({ show_names: named.checked }));
    this.show();
  }

  /** The stream that is directed from now on; none hides the picker. */
  of(stream: string | null): void {
    section.hidden = stream === null;
    if (stream === this.stream) return;
    this.stream = stream;
    this.layout = AT_FIRST;
    this.known = false;
    this.show();
    void this.look().catch(() => {});
  }

  /** Whether there is a stream to direct. */
  may(): boolean {
    return this.stream !== null;
  }

  /** Others may have changed it. A server that does not tell is taken at its last word. */
  async look(): Promise<void> {
    if (!this.stream || this.changing > 0) return;
    const stream = this.stream;
    const layout = await this.api.maybe<Layout>(`/live-streams/${encodeURIComponent(stream)}/layout`);
    if (!layout || this.changing > 0 || stream !== this.stream) return;
    this.layout = layout;
    this.known = true;
    this.show();
  }

  /** Somebody becomes the large one, or does so no more. A grid has no large one, so it gives way to a sidebar. */
  focus(user: string): void {
    const off = this.layout.focus === user && this.layout.type !== 'grid';
    const type = this.layout.type === 'grid' ? 'sidebar' : this.layout.type;
    void this.change(off ? { focus: null } : { focus: user, type, follow_speaker: false, ...(this.layout.pinned === user ? { pinned: null } : {}) });
  }

  private async change(part: Partial<Layout>): Promise<void> {
    if (!this.stream) return;
    // What others have arranged is not known before the first look, and would be undone.
    if (!this.known) await this.look().catch(() => {});
    const before = this.layout;
    this.layout = { ...before, ...part };
    this.show();
    this.changing += 1;
    try {
      const path = `/live-streams/${encodeURIComponent(this.stream)}/layout`;
      this.layout = await this.api.get<Layout>('The layout did not change', 'POST', path, this.layout);
      status.textContent = '';
    } catch (error) {
      this.layout = before;
      status.textContent = error instanceof TypeError ? 'The layout did not change: the server does not answer.' : (error as Error).message;
    } finally {
      this.changing -= 1;
      this.show();
    }
  }

  private show(): void {
    for (const [type, button] of this.buttons) button.setAttribute('aria-pressed', String(type === this.layout.type));
    follow.checked = this.layout.follow_speaker;
    fill.checked = this.layout.scaling === 'fill';
    large.checked = this.layout.screens === 'large';
    named.checked = this.layout.show_names;
    this.changed();
  }
}

// How the stream is shown and heard: the layout picker, and what directs with it.

import { nameOf, type Api, type Layout, type Peer } from '../api';
import { icon } from '../icons';
import { element } from '../room';
import { Mixer } from './mixer';
import { Scenery, SCENERY } from './scenery';
import { Shared, tell } from './shared';

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
const pinned = element<HTMLSelectElement>('pinned');

const AT_FIRST: Layout = { type: 'grid', scaling: 'fit', focus: null, follow_speaker: false, pinned: null, screens: 'large', names: {}, show_names: false, transition: 'smooth', background: null, lower_third: null };

/** Somebody who can be directed. */
export interface Person {
  /** By whom the server knows them. */
  user: string;
  name: string;
}

export class Direction {
  private readonly shared: Shared<Layout>;
  private readonly scenery: Scenery;
  private readonly mixer: Mixer;
  private stream: string | null = null;
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(api: Api, changed: () => void) {
    const answered = (parts: string[], answer: Layout | null, trouble: string) => {
      // What cannot be drawn is shown as boxes, which is worth a word.
      const words = trouble || (answer?.warnings ?? []).join('. ');
      const around = parts.some((part) => SCENERY.includes(part));
      tell(status, around ? '' : words, trouble !== '');
      this.scenery.say(around ? words : '', trouble !== '');
    };
    this.shared = new Shared(api, 'layout', AT_FIRST, answered, () => {
      this.show();
      changed();
    });
    this.scenery = new Scenery(api, this.shared);
    this.mixer = new Mixer(api);
    for (const [type, words] of ARRANGEMENTS) {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet' });
      button.append(icon(type), words);
      button.dataset.layout = type;
      button.addEventListener('click', () => this.change({ type }));
      this.buttons.set(type, button);
    }
    element('arrangements').replaceChildren(...this.buttons.values());
    follow.addEventListener('change', () => this.change({ follow_speaker: follow.checked }));
    fill.addEventListener('change', () => this.change({ scaling: fill.checked ? 'fill' : 'fit' }));
    large.addEventListener('change', () => this.change({ screens: large.checked ? 'large' : 'tiles' }));
    pinned.addEventListener('change', () => this.pin(pinned.value || null));
    this.show();
  }

  get layout(): Layout {
    return this.shared.value;
  }

  /** The stream that is directed from now on; none hides the picker. */
  of(stream: string | null): void {
    section.hidden = stream === null;
    if (stream === this.stream) return;
    this.stream = stream;
    tell(status, '');
    this.shared.of(stream);
    this.scenery.of(stream);
    this.mixer.of(stream);
  }

  /** Whether there is a stream to direct. */
  may(): boolean {
    return this.stream !== null;
  }

  /** Others may have changed something. */
  async look(): Promise<void> {
    await Promise.all([this.shared.look(), this.mixer.look()]);
  }

  /** Who is on stage; null where the server does not tell. */
  people(peers: Peer[] | null, own: string): void {
    const people = new Map((peers ?? []).map((peer) => [peer.user_id || peer.id, nameOf(peer)]));
    const all = [...people].map(([user, name]) => ({ user, name: user === own ? `${name} (you)` : name }));
    this.mixer.people(all);
    offer(all, this.layout.pinned);
  }

  /** Somebody becomes the large one, or does so no more. A grid has no large one, so it gives way to a sidebar. */
  focus(user: string): void {
    const off = this.layout.focus === user && this.layout.type !== 'grid';
    this.shared.change('focus', (now) => {
      if (off) return { ...now, focus: null };
      return { ...now, focus: user, type: now.type === 'grid' ? 'sidebar' : now.type, follow_speaker: false, pinned: now.pinned === user ? null : now.pinned };
    });
  }

  /** Somebody stands small in a corner, or nobody does. Each has one place. */
  private pin(user: string | null): void {
    this.shared.change('pinned', (now) => ({ ...now, pinned: user, focus: user !== null && now.focus === user ? null : now.focus }));
  }

  private change(part: Partial<Layout>): void {
    this.shared.change(Object.keys(part).join(), (now) => ({ ...now, ...part }));
  }

  private show(): void {
    const { layout } = this;
    for (const [type, button] of this.buttons) button.setAttribute('aria-pressed', String(type === layout.type));
    follow.checked = layout.follow_speaker;
    fill.checked = layout.scaling === 'fill';
    large.checked = layout.screens === 'large';
    this.scenery.show();
  }
}

/** Who can be pinned; who is pinned and away for a moment is among them. What has not changed is left alone, for whoever is choosing. */
function offer(people: Person[], chosen: string | null): void {
  const away = chosen !== null && people.every(({ user }) => user !== chosen) ? [new Option(`${chosen} (away)`, chosen)] : [];
  const options = [new Option('Nobody', ''), ...people.map(({ user, name }) => new Option(name, user)), ...away];
  const text = (all: Iterable<HTMLOptionElement>) => JSON.stringify([...all].map((option) => [option.value, option.text]));
  if (text(options) !== text(pinned.options)) pinned.replaceChildren(...options);
  if (pinned.value !== (chosen ?? '')) pinned.value = chosen ?? '';
}

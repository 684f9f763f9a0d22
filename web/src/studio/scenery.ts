// What is around the people: names, a lower third, what is behind them, a logo.

import { unanswered, type Api, type Layout, type Pictures } from '../api';
import { element } from '../room';
import { tell, type Shared } from './shared';

const named = element<HTMLInputElement>('named');
const third = element<HTMLFormElement>('third');
const title = element<HTMLInputElement>('third-title');
const subtitle = element<HTMLInputElement>('third-subtitle');
const thirdNow = element('third-now');
const thirdHide = element<HTMLButtonElement>('third-hide');
const color = element<HTMLInputElement>('color');
const colorNone = element<HTMLButtonElement>('color-none');
const backgroundNone = element<HTMLButtonElement>('background-none');
const logoNone = element<HTMLButtonElement>('logo-none');
const corner = element<HTMLSelectElement>('logo-corner');
const status = element('scenery-status');

/** The parts of a layout that are changed here. */
export const SCENERY = ['show_names', 'lower_third', 'background'];

type LowerThird = NonNullable<Layout['lower_third']>;

export class Scenery {
  private stream: string | null = null;
  // What the fields of the lower third were filled with last. What differs from it is being written, and stays.
  private filled: LowerThird = { title: '', subtitle: null };
  // What the server said last.
  private pictures: Pictures = { background: false, logo: null };

  constructor(
    private readonly api: Api,
    private readonly layout: Shared<Layout>,
  ) {
    named.addEventListener('change', () => this.change({ show_names: named.checked }));
    third.addEventListener('submit', (event) => {
      event.preventDefault();
      this.change({ lower_third: written() });
    });
    thirdHide.addEventListener('click', () => this.change({ lower_third: null }));
    for (const field of [title, subtitle]) field.addEventListener('input', () => this.show());
    color.addEventListener('input', () => this.change({ background: { color: color.value } }));
    colorNone.addEventListener('click', () => this.change({ background: null }));
    takes('background', (file) => void this.upload('background', file, `The background is shown: ${file.name}.`));
    takes('logo', (file) => void this.upload(`logo?corner=${corner.value}`, file, `The logo is shown: ${file.name}.`));
    backgroundNone.addEventListener('click', () => void this.takeAway('background', 'The background is taken away.'));
    logoNone.addEventListener('click', () => void this.takeAway('logo', 'The logo is taken away.'));
    corner.addEventListener('change', () => void this.move());
  }

  of(stream: string | null): void {
    this.stream = stream;
    this.pictures = { background: false, logo: null };
    this.say('');
  }

  /** Shows what the layout says, but for what somebody is writing. */
  show(): void {
    const { show_names, background } = this.layout.value;
    named.checked = show_names;
    // As the server has it: what it refuses is there to be mended.
    const { lower_third } = this.layout.heard;
    if (lower_third && (same(written(), this.filled) || same(written(), lower_third))) {
      this.filled = lower_third;
      if (!same(written(), lower_third)) [title.value, subtitle.value] = [lower_third.title, lower_third.subtitle ?? ''];
    }
    thirdHide.disabled = lower_third === null;
    thirdNow.textContent = lower_third ? `Shown: ${[lower_third.title, lower_third.subtitle].filter(Boolean).join(', ')}` : 'Not shown.';
    if (background && background.color.toLowerCase() !== color.value) color.value = background.color.toLowerCase();
    colorNone.disabled = background === null;
    this.pictures = this.layout.heard.pictures ?? this.pictures;
    backgroundNone.disabled = !this.pictures.background;
    logoNone.disabled = this.pictures.logo === null;
    if (this.pictures.logo !== null) corner.value = this.pictures.logo;
  }

  say(words: string, trouble = false): void {
    tell(status, words, trouble);
    // It stands below all of these, where who has pressed a button further up may not see it.
    if (trouble) status.scrollIntoView({ block: 'nearest' });
  }

  private change(part: Partial<Layout>): void {
    this.layout.change(Object.keys(part).join(), (now) => ({ ...now, ...part }));
  }

  private upload(what: string, file: File, done: string): Promise<void> {
    return this.ask(`${what.startsWith('logo') ? 'The logo' : 'The background'} is on its way…`, done, (path) => this.api.send('It did not change', 'POST', path(what), file));
  }

  private takeAway(what: string, done: string): Promise<void> {
    return this.ask('', done, (path) => this.api.send('It did not change', 'DELETE', path(what), null));
  }

  /** A logo that is there is moved; one to come goes to that corner. */
  private async move(): Promise<void> {
    if (this.pictures.logo === null) return;
    const { value } = corner;
    await this.ask('', 'The logo is in another corner.', (path) => this.api.get('It did not change', 'POST', path('logo/corner'), { corner: value }));
  }

  private async ask(going: string, done: string, request: (path: (what: string) => string) => Promise<unknown>): Promise<void> {
    const { stream } = this;
    if (!stream) return;
    this.say(going);
    let trouble = '';
    try {
      await request((what) => `/live-streams/${encodeURIComponent(stream)}/${what}`);
    } catch (error) {
      trouble = unanswered(error) ? 'It did not change: the server does not answer.' : (error as Error).message;
    }
    // What is there now can be moved, or taken away.
    await this.layout.look().catch(() => {});
    if (stream === this.stream) this.say(trouble || done, trouble !== '');
  }
}

/** A file is taken as soon as it is chosen. */
function takes(id: string, take: (file: File) => void): void {
  const input = element<HTMLInputElement>(id);
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    // The same file can be chosen again.
    input.value = '';
    if (file) take(file);
  });
}

function written(): LowerThird {
  return { title: title.value, subtitle: subtitle.value || null };
}

function same(one: LowerThird, other: LowerThird): boolean {
  return one.title === other.title && (one.subtitle ?? '') === (other.subtitle ?? '');
}

// What is around the people: names, a lower third, what is behind them, a logo.

import { unanswered, type Api, type Layout } from '../api';
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
const corner = element<HTMLSelectElement>('logo-corner');
const status = element('scenery-status');

/** The parts of a layout that are changed here. */
export const SCENERY = ['show_names', 'lower_third', 'background'];

type LowerThird = NonNullable<Layout['lower_third']>;

export class Scenery {
  private stream: string | null = null;
  // What the fields of the lower third were filled with last. What differs from it is being written, and stays.
  private filled: LowerThird = { title: '', subtitle: null };
  // The logo that was sent from here: in another corner it is sent again.
  private logo: File | null = null;

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
    takes('background', (file) => void this.send('POST', 'background', file, 'The background is on its way…', `The background is shown: ${file.name}.`));
    takes('logo', (file) => void this.sendLogo(file));
    element('background-none').addEventListener('click', () => void this.send('DELETE', 'background', null, '', 'The background is taken away.'));
    element('logo-none').addEventListener('click', () => {
      this.logo = null;
      void this.send('DELETE', 'logo', null, '', 'The logo is taken away.');
    });
    corner.addEventListener('change', () => this.logo && void this.sendLogo(this.logo));
  }

  of(stream: string | null): void {
    this.stream = stream;
    this.logo = null;
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
  }

  say(words: string, trouble = false): void {
    tell(status, words, trouble);
  }

  private change(part: Partial<Layout>): void {
    this.layout.change(Object.keys(part).join(), (now) => ({ ...now, ...part }));
  }

  private async sendLogo(file: File): Promise<void> {
    this.logo = file;
    await this.send('POST', `logo?corner=${corner.value}`, file, 'The logo is on its way…', `The logo is shown: ${file.name}.`);
  }

  private async send(method: 'POST' | 'DELETE', what: string, file: File | null, going: string, done: string): Promise<void> {
    const { stream } = this;
    if (!stream) return;
    this.say(going);
    let trouble = '';
    try {
      await this.api.send('It did not change', method, `/live-streams/${encodeURIComponent(stream)}/${what}`, file);
    } catch (error) {
      trouble = unanswered(error) ? 'It did not change: the server does not answer.' : (error as Error).message;
    }
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

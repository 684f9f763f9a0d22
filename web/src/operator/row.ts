// A room in the list. Its parts stay where they are from look to look, so that the focus does.

import { icon, type Icon } from '../icons';
import { clock } from '../pace';
import { isLive, type Entry } from './rooms';

/** What a row's buttons do. */
export interface Acts {
  start(room: string): Promise<void>;
  stop(room: string): Promise<void>;
  makeCodes(room: string): Promise<void>;
}

/** A room in the list. */
export class Row {
  readonly element = make('li', 'room card');
  private readonly picture = make('div', 'picture');
  private readonly facts = make('div', 'row');
  private readonly links = make('div', 'row links');
  private readonly trouble = make('p', 'trouble');
  private readonly button = make('button', '') as HTMLButtonElement;
  private readonly image = document.createElement('img');
  private looking = false;
  private entry: Entry;

  constructor(entry: Entry, private readonly acts: Acts) {
    this.entry = entry;
    const about = make('div', 'about');
    const title = Object.assign(document.createElement('h3'), { textContent: entry.room.name || entry.room.id });
    this.trouble.setAttribute('role', 'alert');
    about.append(title, this.facts, this.links, this.trouble);
    this.button.type = 'button';
    this.button.addEventListener('click', () => void this.press());
    this.image.alt = '';
    this.element.append(this.picture, about, this.button);
    this.show(entry);
  }

  show(entry: Entry): void {
    this.entry = entry;
    const live = isLive(entry.stream);
    this.element.toggleAttribute('data-live', live);
    this.button.textContent = live ? 'Stop stream' : 'Start stream';
    this.button.className = live ? 'danger' : 'quiet';
    this.button.setAttribute('aria-label', `${this.button.textContent} of ${entry.room.name || entry.room.id}`);
    this.button.disabled = entry.stream?.status === 'stopping';
    const facts = this.chips();
    if (facts.map((f) => f.textContent).join() !== [...this.facts.children].map((f) => f.textContent).join()) this.facts.replaceChildren(...facts);
    this.showLinks();
    void this.showPicture(live);
  }

  private chips(): HTMLElement[] {
    const { stream, people, viewers } = this.entry;
    const chips: HTMLElement[] = [];
    const chip = (words: string, drawing?: Icon) => {
      const one = make('span', 'chip');
      if (drawing) one.append(icon(drawing));
      one.append(words);
      chips.push(one);
    };
    switch (stream?.status) {
      case 'running':
        chips.push(Object.assign(make('span', 'badge'), { textContent: 'On air' }));
        break;
      case 'starting':
      case 'stopping':
        chip(stream.status === 'starting' ? 'Starting…' : 'Stopping…');
        break;
      case 'failed':
        chip(`Failed ${when(stream.stopped_at)}${stream.error ? `: ${stream.error}` : ''}`);
        break;
      case 'completed':
        chip(`Off air since ${when(stream.stopped_at)}`);
        break;
      default:
        chip('Never on air');
    }
    if (stream?.status === 'running' && stream.started_at) chip(clock(Date.now() - Date.parse(stream.started_at)), 'clock');
    if (viewers !== null) chip(viewers === 1 ? '1 viewer' : `${viewers} viewers`, 'people');
    if (people !== null) chip(people.length === 0 ? 'Nobody on stage' : people.join(', '), 'microphone');
    return chips;
  }

  private showLinks(): void {
    const { room, studio, watch } = this.entry;
    const of = ` of ${room.name || room.id}`;
    const wanted: [string, string][] = [];
    if (studio) wanted.push(['Studio', `/studio/${studio}`]);
    if (watch) wanted.push(['Watch', `/watch/${watch}`]);
    if (isLive(this.entry.stream)) wanted.push(['Playlist', `/live/${encodeURIComponent(room.id)}/master.m3u8`]);
    const signature = wanted.flat().join() || 'none';
    if (this.links.dataset.shown === signature) return;
    this.links.dataset.shown = signature;
    const links: HTMLElement[] = wanted.map(([words, href]) => {
      const link = Object.assign(document.createElement('a'), { href, textContent: words });
      link.append(Object.assign(make('span', 'unseen'), { textContent: of }));
      return link;
    });
    if (!studio && !watch) {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet small', textContent: 'Make links' });
      button.addEventListener('click', () => void this.try(() => this.acts.makeCodes(room.id)));
      links.push(button);
    }
    this.links.replaceChildren(...links);
  }

  /** The newest picture, as far as the cache says that there may be a newer one. */
  private async showPicture(live: boolean): Promise<void> {
    // One at a time, or each would let go of the same picture.
    if (this.looking) return;
    this.looking = true;
    const answer = live ? await fetch(`/live/${encodeURIComponent(this.entry.room.id)}/poster.jpg`).catch(() => null) : null;
    const shown = this.image.src;
    if (!answer?.ok) {
      const words = live ? 'No picture yet' : 'Off air';
      if (this.picture.textContent !== words) this.picture.replaceChildren(words);
      this.image.removeAttribute('src');
    } else {
      this.image.src = URL.createObjectURL(await answer.blob());
      await this.image.decode().catch(() => {});
      this.picture.replaceChildren(this.image);
    }
    if (shown.startsWith('blob:')) URL.revokeObjectURL(shown);
    this.looking = false;
  }

  private async press(): Promise<void> {
    const { room, stream } = this.entry;
    if (!isLive(stream)) return this.try(() => this.acts.start(room.id));
    if (!confirm(`Stop the stream of ${room.name || room.id}? It ends for everybody who watches.`)) return;
    await this.try(() => this.acts.stop(room.id));
  }

  private async try(act: () => Promise<void>): Promise<void> {
    this.button.disabled = true;
    this.trouble.textContent = '';
    try {
      await act();
    } catch (error) {
      this.trouble.textContent = error instanceof TypeError ? 'The server does not answer. Try again.' : (error as Error).message;
    } finally {
      this.button.disabled = false;
    }
  }
}

function make(tag: string, className: string): HTMLElement {
  return Object.assign(document.createElement(tag), { className });
}

/** `14:05` of today, or a date before it. */
function when(time: string | null): string {
  if (!time) return '';
  const at = new Date(time);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) : at.toLocaleDateString();
}

// How loud each person is for those who watch.

import type { Api, Fader, Mix } from '../api';
import { element } from '../room';
import type { Person } from './direction';
import { Shared, tell } from './shared';

/** Decibels, as far as the server takes them. */
const LEAST_DB = -60;
const MOST_DB = 20;
const STEP_DB = 0.5;

const AS_THEY_COME: Fader = { gain_db: 0, muted: false };

const section = element<HTMLDetailsElement>('mixer');
const list = element('mixer-list');
const nobody = element('mixer-nobody');
const status = element('mixer-status');

export class Mixer {
  private readonly shared: Shared<Mix>;
  private onStage: Person[] = [];

  constructor(api: Api) {
    const answered = (_: string[], __: Mix | null, trouble: string) => tell(status, trouble, true);
    this.shared = new Shared(api, 'mix', { voices: {} }, answered, () => this.show());
    section.addEventListener('toggle', () => void this.look().catch(() => {}));
  }

  of(stream: string | null): void {
    tell(status, '');
    this.shared.of(stream);
  }

  /** Nobody sees what is closed. */
  async look(): Promise<void> {
    if (section.open) await this.shared.look();
  }

  people(onStage: Person[]): void {
    this.onStage = onStage;
    this.show();
  }

  /** Rows stay where they are, so that the focus does. */
  private show(): void {
    const { voices } = this.shared.value;
    const there = new Set(this.onStage.map(({ user }) => user));
    // A mute holds for who comes back.
    const away = Object.keys(voices).filter((user) => !there.has(user));
    const people = [...this.onStage, ...away.map((user) => ({ user, name: `${user} (away)` }))];
    nobody.hidden = people.length > 0;
    const rows = new Map([...list.children].map((row) => [(row as HTMLElement).dataset.user, row as HTMLElement]));
    for (const { user, name } of people) {
      const row = rows.get(user) ?? this.row(user);
      rows.delete(user);
      fill(row, name, voices[user] ?? AS_THEY_COME);
      if (!row.parentNode) list.append(row);
    }
    for (const row of rows.values()) row.remove();
  }

  private row(user: string): HTMLElement {
    const row = Object.assign(document.createElement('li'), { className: 'fader' });
    row.dataset.user = user;
    const who = Object.assign(document.createElement('span'), { className: 'who' });
    const gain = Object.assign(document.createElement('input'), { type: 'range', min: String(LEAST_DB), max: String(MOST_DB), step: String(STEP_DB) });
    const db = Object.assign(document.createElement('span'), { className: 'db', ariaHidden: 'true' });
    const mute = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet small toggle' });
    gain.addEventListener('input', () => this.change(user, { gain_db: Number(gain.value) }));
    mute.addEventListener('click', () => this.change(user, { muted: !mute.hasAttribute('data-off') }));
    row.append(who, gain, db, mute);
    return row;
  }

  /** Who is as they come is not named: a mix names so many and no more. */
  private change(user: string, part: Partial<Fader>): void {
    this.shared.change(`${Object.keys(part).join()} ${user}`, ({ voices }) => {
      const { [user]: before = AS_THEY_COME, ...others } = voices;
      const fader = { ...before, ...part };
      return { voices: fader.gain_db === 0 && !fader.muted ? others : { ...others, [user]: fader } };
    });
  }
}

function fill(row: HTMLElement, name: string, { gain_db, muted }: Fader): void {
  const [who, gain, db, mute] = row.children as unknown as [HTMLElement, HTMLInputElement, HTMLElement, HTMLButtonElement];
  const words = `${gain_db > 0 ? '+' : gain_db < 0 ? '−' : ''}${Math.abs(gain_db)} dB`;
  if (who.textContent !== name) who.textContent = name;
  if (db.textContent !== words) db.textContent = words;
  if (Number(gain.value) !== gain_db) gain.value = String(gain_db);
  gain.ariaLabel = `Loudness of ${name}`;
  gain.setAttribute('aria-valuetext', words);
  const act = muted ? 'Unmute' : 'Mute';
  if (mute.textContent !== act) mute.textContent = act;
  mute.ariaLabel = `${act} ${name}`;
  mute.toggleAttribute('data-off', muted);
}

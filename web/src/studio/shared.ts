// What several directors set and a server takes as a whole: a stream's layout, its mix.

import { unanswered, type Api } from '../api';

/** One of them. */
export class Shared<T extends object> {
  /** What the server has, with what was changed here and is on its way. */
  value: T;
  /** What the server said last. */
  heard: T;
  private stream: string | null = null;
  // What was changed here and is not sent yet, by its part: a slider that moves on takes its own place, so there are no more than parts.
  private readonly waiting = new Map<string, (now: T) => T>();
  // Changes that are on their way, or not sent yet; and how many were sent: what was asked before one of them is older.
  private sending = false;
  private sent = 0;

  constructor(
    private readonly api: Api,
    /** Of a stream: `layout`, `mix`. */
    private readonly what: string,
    /** As at a stream's start. */
    private readonly atFirst: T,
    /** Hears what became of changes of these parts: what the server answered, or why there is none. */
    private readonly answered: (parts: string[], answer: T | null, trouble: string) => void,
    private readonly changed: () => void,
  ) {
    this.value = this.heard = atFirst;
  }

  /** The stream that it is of from now on. */
  of(stream: string | null): void {
    this.stream = stream;
    this.waiting.clear();
    this.value = this.heard = this.atFirst;
    this.changed();
    void this.look().catch(() => {});
  }

  /** Others may have changed it. A server that does not tell is taken at its last word. */
  async look(): Promise<void> {
    const { stream, sent } = this;
    if (!stream || this.sending) return;
    const now = await this.api.maybe<T>(this.path(stream));
    if (!now || this.sending || sent !== this.sent || stream !== this.stream) return;
    this.hear(now);
  }

  /** Changes one thing in it, named `part`; the rest stays as others have it. */
  change(part: string, edit: (now: T) => T): void {
    if (!this.stream) return;
    this.waiting.delete(part);
    this.waiting.set(part, edit);
    this.value = edit(this.value);
    this.changed();
    if (!this.sending) void this.send();
  }

  /** One request at a time: what is changed meanwhile goes with the next. */
  private async send(): Promise<void> {
    this.sending = true;
    while (this.stream && this.waiting.size > 0) {
      const { stream } = this;
      const [parts, edits] = [[...this.waiting.keys()], [...this.waiting.values()]];
      this.waiting.clear();
      let answer: T | null = null;
      let trouble = '';
      try {
        // The newest: it is sent as a whole, and what others have changed since the last look would be undone.
        const now = (await this.api.maybe<T>(this.path(stream))) ?? this.heard;
        answer = await this.api.get<T>('It did not change', 'POST', this.path(stream), edits.reduce((value, edit) => edit(value), now));
      } catch (error) {
        trouble = unanswered(error) ? 'It did not change: the server does not answer.' : (error as Error).message;
      }
      this.sent += 1;
      if (stream !== this.stream) continue;
      this.hear(answer ?? this.heard);
      this.answered(parts, answer, trouble);
    }
    this.sending = false;
  }

  private hear(now: T): void {
    this.heard = now;
    this.value = [...this.waiting.values()].reduce((value, edit) => edit(value), now);
    this.changed();
  }

  private path(stream: string): string {
    return `/live-streams/${encodeURIComponent(stream)}/${this.what}`;
  }
}

/** Says what became of a change, beside what changes it. */
export function tell(place: HTMLElement, words: string, trouble = false): void {
  place.textContent = words;
  place.dataset.state = trouble ? 'trouble' : 'idle';
}

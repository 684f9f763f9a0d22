// The room's live stream, as who is on stage sees it.

import { refused, unanswered, type Api, type LiveStream } from '../api';

/** How it is. `unseen`: this role may publish and not stream, and the server does not tell it. */
export type Stream = 'none' | 'on' | 'ended' | 'failed' | 'unseen';

export class RoomStream {
  /** What was last heard. */
  now: Stream = 'none';
  /** The newest one's id, where this role is told. */
  id: string | null = null;
  /** When it could first be played, in this machine's time. */
  since: number | null = null;

  constructor(
    private readonly api: Api,
    private readonly roomId: string,
    private readonly changed: () => void,
  ) {}

  /** Starts it where none is running, if this role may: otherwise somebody else does. */
  async start(): Promise<void> {
    const response = await this.api.ask('POST', `/live-streams/room/${encodeURIComponent(this.roomId)}/start`);
    if (response.status !== 403 && !response.ok) throw await refused('The stream did not start', response);
    if (response.ok) this.know('on', (await response.json()) as LiveStream);
    else this.know('unseen');
  }

  /** Finds out how it is: the newest, of which a room has one at a time. */
  async look(): Promise<void> {
    const response = await this.api.ask('GET', `/live-streams?room_id=${encodeURIComponent(this.roomId)}&limit=1`);
    if (response.status === 403) return this.know('unseen');
    if (!response.ok) throw await refused('Whether there is a stream cannot be told', response);
    const newest = ((await response.json()) as { data: LiveStream[] }).data[0];
    switch (newest?.status) {
      case undefined:
        return this.know('none');
      case 'starting':
      case 'running':
        return this.know('on', newest);
      case 'stopping':
      case 'completed':
        return this.know('ended');
      case 'failed':
        return this.know('failed');
    }
  }

  /** Ends it, for everybody. */
  async end(): Promise<void> {
    try {
      const response = await this.api.ask('POST', `/live-streams/room/${encodeURIComponent(this.roomId)}/stop`);
      if (!response.ok) throw await refused('The stream did not end', response);
    } catch (error) {
      if (!unanswered(error)) throw error;
      throw new Error('Whether the stream has ended is not known: the server does not answer. Press End again.');
    }
    this.know('ended');
  }

  private know(now: Stream, stream?: LiveStream): void {
    this.now = now;
    this.id = stream?.id ?? null;
    this.since = stream?.started_at ? Date.parse(stream.started_at) : null;
    this.changed();
  }
}

// A person's place on stage, of which there is one: whether it is this page's or another window's of the same person.
//
// A duplicated tab is the same person, since a tab's storage is copied with it.

import type { Peer } from '../api';

// Sessions of this page that the server may still show: what was lost lingers until its consent has expired, half a minute.
const SESSIONS = 16;
// The server looks once a second who is on stage. What it says so soon after it has begun a session may be of before.
const SETTLED_MS = 5_000;

export class Place {
  private readonly sessions: string[] = [];
  private begunAt = Infinity;

  /** This page takes the place, whoever has it. */
  take(): void {
    this.begunAt = Infinity;
  }

  /** The server has begun a session of this page's, and ended every other in its place. */
  begun(session: string): void {
    this.begunAt = performance.now();
    this.sessions.push(session);
    if (this.sessions.length > SESSIONS) this.sessions.shift();
  }

  /** Whether another window has it since, by what the server answered to a question of `asked`. */
  isTaken(peers: Peer[], user: string, asked: number): boolean {
    return asked - this.begunAt > SETTLED_MS && this.isAnothers(peers, user);
  }

  /** Whether it is another window's. */
  isAnothers(peers: Peer[], user: string): boolean {
    const own = peers.filter((peer) => (peer.user_id || peer.id) === user).flatMap((peer) => Object.values(peer.tracks ?? {}));
    return own.some(({ source, session_id }) => source !== 'screen' && session_id !== undefined && !this.sessions.includes(session_id));
  }
}

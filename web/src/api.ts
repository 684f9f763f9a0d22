// The REST API, as far as the pages use it.

import { Refused } from './whip';

// An answer of the API takes milliseconds: what takes longer is on its way no more.
const ANSWER_WAIT_MS = 10_000;
// The server waits for a file for a minute.
const UPLOAD_WAIT_MS = 70_000;

/** What control says of a live stream, as far as the pages read it. */
export interface LiveStream {
  id: string;
  room_id: string;
  status: 'starting' | 'running' | 'stopping' | 'completed' | 'failed';
  created_at: string;
  started_at: string | null;
  stopped_at: string | null;
  error?: string;
}

export interface Layout {
  type: 'grid' | 'spotlight' | 'sidebar' | 'picture-in-picture';
  scaling: 'fit' | 'fill';
  focus: string | null;
  follow_speaker: boolean;
  pinned: string | null;
  screens: 'large' | 'tiles';
  names: Record<string, string>;
  show_names: boolean;
  transition: 'smooth' | 'none';
  background: { color: string } | null;
  lower_third: { title: string; subtitle: string | null } | null;
  /** What was uploaded beside it; not in the answer to a change. */
  pictures?: Pictures;
  /** What of it cannot be drawn, in the answer to a change. */
  warnings?: string[];
}

export interface Pictures {
  background: boolean;
  /** Its corner; null where there is none. */
  logo: string | null;
}

/** How loud somebody is mixed. */
export interface Fader {
  gain_db: number;
  muted: boolean;
}

/** By user id; who is absent is heard as they come. */
export interface Mix {
  voices: Record<string, Fader>;
}

/** A track of somebody on stage; what is not known is null or absent. */
export interface Track {
  id: string;
  type: 'audio' | 'video';
  source?: 'regular' | 'screen';
  /** The WHIP session that it comes by. */
  session_id?: string;
  mute?: boolean | null;
  width?: number | null;
  height?: number | null;
  state?: 'ok' | 'no_packets' | 'no_key_frame' | 'undecodable' | 'muted' | 'black' | 'frozen' | 'silent' | null;
  loss?: number | null;
  round_trip_ms?: number | null;
}

/** Somebody on stage. */
export interface Peer {
  id: string;
  name?: string | null;
  user_id?: string | null;
  role?: string | null;
  tracks?: Record<string, Track>;
}

/** How somebody is called. Who has given no name, by code alone, has a number for a user id, which tells nobody anything. */
export function nameOf(peer: Peer): string {
  const name = peer.name || peer.user_id || '';
  return name === '' || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name) ? 'Somebody' : name;
}

/** The API by one token. */
export class Api {
  constructor(readonly token: string) {}

  /** One request, whatever the answer. */
  ask(method: 'GET' | 'POST', path: string, body: object = {}): Promise<Response> {
    return fetch(`/v2${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: method === 'POST' ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(ANSWER_WAIT_MS),
    });
  }

  /** What a request that must succeed is answered with. Throws `Refused` with these words before the server's own. */
  async get<T>(otherwise: string, method: 'GET' | 'POST', path: string, body: object = {}): Promise<T> {
    const response = await this.ask(method, path, body);
    if (!response.ok) throw await refused(otherwise, response);
    return (await response.json()) as T;
  }

  /** Sends a file, or takes away what was sent. Throws as `get` does. */
  async send(otherwise: string, method: 'POST' | 'DELETE', path: string, file: File | null): Promise<void> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/octet-stream' };
    const response = await fetch(`/v2${path}`, { method, headers, body: file, signal: AbortSignal.timeout(UPLOAD_WAIT_MS) });
    if (!response.ok) throw await refused(otherwise, response);
  }

  /** What a server may know or not: null where it has no such route, or this role may not ask. */
  async maybe<T>(path: string): Promise<T | null> {
    const response = await this.ask('GET', path);
    if (response.status === 404 || response.status === 403 || response.status === 405) return null;
    if (!response.ok) throw await refused('The server did not say', response);
    return (await response.json()) as T;
  }
}

export async function refused(what: string, response: Response): Promise<Refused> {
  const answer = await response.json().catch(() => ({}));
  return new Refused(`${what}: ${answer.message ?? response.statusText}`, response);
}

/** What `fetch` throws where no answer came, or none in time. */
export function unanswered(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError');
}

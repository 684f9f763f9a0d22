// What there is: rooms, their newest streams, who is on stage and how many watch.

import { nameOf, type Api, type LiveStream, type Peer } from '../api';

// 100ms's most for one page of a list.
const PAGE = 100;
// People and viewers are asked for of so many live rooms: each is two requests at each look.
const LOOKED_INTO = 20;

export interface Room {
  id: string;
  name: string;
}

interface Code {
  code: string;
  role: string;
  enabled: boolean;
}

interface List<T> {
  data: T[];
  last: string;
}

/** A room as the list shows it. */
export interface Entry {
  room: Room;
  /** What goes on in it, or was last; null where nothing was. */
  stream: LiveStream | null;
  /** The codes of its pages, where it has them. */
  studio: string | null;
  watch: string | null;
  /** Null where the server does not tell. */
  people: string[] | null;
  viewers: number | null;
}

export function isLive(stream: LiveStream | null): boolean {
  return stream !== null && ['starting', 'running', 'stopping'].includes(stream.status);
}

/** The list, asked for piece by piece. */
export class Rooms {
  private readonly codes = new Map<string, Code[]>();

  constructor(private readonly api: Api) {}

  /** The first pages of rooms, the live ones first, and whether there are more. */
  async list(pages: number): Promise<{ entries: Entry[]; more: boolean }> {
    const [{ rooms, more }, streams] = await Promise.all([this.rooms(pages), this.streams()]);
    await Promise.all(rooms.filter((room) => !this.codes.has(room.id)).map((room) => this.learnCodes(room.id)));
    const entries = rooms.map((room) => this.entry(room, streams.get(room.id) ?? null));
    entries.sort((a, b) => Number(isLive(b.stream)) - Number(isLive(a.stream)));
    const live = entries.filter((entry) => isLive(entry.stream)).slice(0, LOOKED_INTO);
    await Promise.all(live.map((entry) => this.lookInto(entry)));
    return { entries, more };
  }

  /** The name that it has. */
  async create(name: string): Promise<string> {
    const room = await this.api.get<Room>('The room was not created', 'POST', '/rooms', { name });
    await this.makeCodes(room.id);
    return room.name;
  }

  /** A code for each role, so that the room has links. */
  async makeCodes(room: string): Promise<void> {
    const made = await this.api.get<List<Code>>('The links were not made', 'POST', `/room-codes/room/${encodeURIComponent(room)}`);
    this.codes.set(room, made.data);
  }

  async start(room: string): Promise<void> {
    await this.api.get('The stream did not start', 'POST', `/live-streams/room/${encodeURIComponent(room)}/start`);
  }

  async stop(room: string): Promise<void> {
    await this.api.get('The stream did not stop', 'POST', `/live-streams/room/${encodeURIComponent(room)}/stop`);
  }

  private async rooms(pages: number): Promise<{ rooms: Room[]; more: boolean }> {
    const rooms: Room[] = [];
    let start = '';
    for (let page = 0; page < pages; page += 1) {
      const list = await this.api.get<List<Room>>('The rooms cannot be listed', 'GET', `/rooms?limit=${PAGE}${start}`);
      rooms.push(...list.data);
      if (list.data.length < PAGE) return { rooms, more: false };
      start = `&start=${encodeURIComponent(list.last)}`;
    }
    return { rooms, more: true };
  }

  /** Each room's stream: what goes on, or else the newest of the last hundred. */
  private async streams(): Promise<Map<string, LiveStream>> {
    const ask = (status: string) => this.api.get<List<LiveStream>>('The live streams cannot be listed', 'GET', `/live-streams?limit=${PAGE}${status}`);
    const lists = await Promise.all(['&status=stopping', '&status=starting', '&status=running'].map(ask));
    const found = new Map<string, LiveStream>();
    const newest = await ask('');
    // The last word holds: oldest first, and what goes on after what is over.
    for (const stream of [...newest.data].reverse()) found.set(stream.room_id, stream);
    for (const { data } of lists) for (const stream of data) found.set(stream.room_id, stream);
    return found;
  }

  private async learnCodes(room: string): Promise<void> {
    const codes = await this.api.get<List<Code>>('The links cannot be read', 'GET', `/room-codes/room/${encodeURIComponent(room)}`);
    this.codes.set(room, codes.data);
  }

  private entry(room: Room, stream: LiveStream | null): Entry {
    const code = (role: string) => this.codes.get(room.id)?.find((code) => code.role === role && code.enabled)?.code ?? null;
    return { room, stream, studio: code('broadcaster'), watch: code('viewer-near-realtime'), people: null, viewers: null };
  }

  private async lookInto(entry: Entry): Promise<void> {
    const room = encodeURIComponent(entry.room.id);
    const stream = encodeURIComponent(entry.stream?.id ?? '');
    const [peers, viewers] = await Promise.all([
      this.api.maybe<{ peers: Record<string, Peer> }>(`/active-rooms/${room}/peers`),
      this.api.maybe<{ viewers: number }>(`/live-streams/${stream}/viewers`),
    ]);
    entry.people = peers && Object.values(peers.peers).map(nameOf);
    entry.viewers = viewers?.viewers ?? null;
  }
}

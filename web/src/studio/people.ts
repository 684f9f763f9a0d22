// Who is on stage, and how what they send arrives.

import { nameOf, type Peer, type Track } from '../api';
import { element } from '../room';
import type { Direction } from './direction';

// As the words on one's own network have them.
const LOSS = 0.05;
const SLOW_MS = 400;

const section = element('people');
const list = element('people-list');

interface Health {
  level: 'good' | 'fair' | 'bad';
  words: string;
}

/** Shows these people; null where the server does not tell. Rows stay where they are, so that the focus does. */
export function showPeople(peers: Peer[] | null, direction: Direction, own: string): void {
  section.hidden = peers === null;
  if (!peers) return;
  const rows = new Map([...list.children].map((row) => [(row as HTMLElement).dataset.peer ?? '', row as HTMLElement]));
  for (const peer of peers) {
    const known = rows.get(peer.id);
    const row = known && (known.querySelector('button') !== null) === direction.may() ? known : newRow(peer, direction);
    if (known && known !== row) known.remove();
    rows.delete(peer.id);
    fill(row, peer, direction, own);
    if (!row.parentNode) list.append(row);
  }
  for (const row of rows.values()) row.remove();
  if (peers.length === 0) list.replaceChildren(Object.assign(document.createElement('li'), { className: 'hint', textContent: 'Nobody yet.' }));
  element('people-hint').hidden = !direction.may() || peers.length === 0;
}

function newRow(peer: Peer, direction: Direction): HTMLElement {
  const row = document.createElement('li');
  row.dataset.peer = peer.id;
  const body = document.createElement(direction.may() ? 'button' : 'div');
  body.className = direction.may() ? 'quiet chosen' : 'person';
  if (body instanceof HTMLButtonElement) {
    body.type = 'button';
    body.addEventListener('click', () => direction.focus(peer.user_id || peer.id));
  }
  for (const part of ['face', 'who', 'how', 'health']) body.append(Object.assign(document.createElement('span'), { className: part }));
  body.querySelector('.face')?.setAttribute('aria-hidden', 'true');
  row.append(body);
  return row;
}

function fill(row: HTMLElement, peer: Peer, direction: Direction, own: string): void {
  const user = peer.user_id || peer.id;
  const name = nameOf(peer);
  const write = (part: string, text: string) => {
    const place = row.querySelector(`.${part}`);
    if (place && place.textContent !== text) place.textContent = text;
  };
  write('face', [...name][0] ?? '?');
  write('who', user === own ? `${name} (you)` : name);
  const tracks = Object.values(peer.tracks ?? {});
  write('how', tracks.map(words).join(' · ') || 'sends nothing');
  const health = worst(tracks);
  write('health', health.words);
  const place = row.querySelector<HTMLElement>('.health');
  if (place) place.dataset.level = health.level;
  row.querySelector('button')?.setAttribute('aria-pressed', String(direction.layout.focus === user && direction.layout.type !== 'grid'));
}

/** `camera 1280×720`, `microphone muted`. */
function words(track: Track): string {
  const screen = track.source === 'screen';
  const name = track.type === 'audio' ? (screen ? 'screen’s sound' : 'microphone') : screen ? 'screen' : 'camera';
  if (track.mute || track.state === 'muted') return `${name} off`;
  return track.width && track.height ? `${name} ${track.width}×${track.height}` : name;
}

function worst(tracks: Track[]): Health {
  const all = tracks.map(health);
  for (const level of ['bad', 'fair'] as const) {
    const found = all.find((one) => one.level === level);
    if (found) return found;
  }
  return { level: 'good', words: 'Good' };
}

function health(track: Track): Health {
  const good: Health = { level: 'good', words: 'Good' };
  // Who has switched something off sends silence and black on purpose.
  if (track.mute || track.state === 'muted') return good;
  switch (track.state) {
    case 'no_packets':
      return { level: 'bad', words: track.type === 'audio' ? 'No sound arrives' : 'No picture arrives' };
    case 'no_key_frame':
      return { level: 'fair', words: 'Picture is coming' };
    case 'undecodable':
      return { level: 'bad', words: 'Cannot be decoded' };
    case 'black':
      return { level: 'fair', words: 'Black picture' };
    case 'frozen':
      return { level: 'fair', words: 'Picture stands still' };
    case 'silent':
      return { level: 'fair', words: 'Silent' };
  }
  if ((track.loss ?? 0) > LOSS) return { level: 'bad', words: `Loses ${Math.round((track.loss ?? 0) * 100)} %` };
  if ((track.round_trip_ms ?? 0) > SLOW_MS) return { level: 'fair', words: 'Slow network' };
  return good;
}

import { Api, type Peer } from './api';
import { drawIcons } from './icons';
import { clock, pause, whileSeen } from './pace';
import { codeOfPage, element, enter, nameRoom, say, type Entry } from './room';
import { capture, choosable, found, gone, lacking, lackingOnAir, listDevices, media, onChoice, switchable } from './studio/devices';
import { Direction } from './studio/direction';
import { hearable } from './studio/hear';
import { listenTo } from './studio/level';
import { watchNetwork } from './studio/network';
import { showPeople } from './studio/people';
import { Place } from './studio/place';
import { setUpProgramme, showProgramme } from './studio/programme';
import { mayShare, shareable } from './studio/screen';
import { stay } from './studio/stay';
import { RoomStream } from './studio/stream';
import { mayPublish } from './whip';

// How soon who is on stage is told that somebody else has ended the stream.
const LOOK_MS = 5_000;
// How often it is asked who is on stage and who watches.
const PEOPLE_MS = 4_000;
const ELAPSED_MS = 1_000;
// For somebody to see that it was done.
const COPIED_MS = 2_000;
// Where this browser keeps the name that was given last.
const NAME = 'footlight-name';
// Where this tab keeps who it is.
const USER = 'footlight-user';
// Bytes of a name that a server takes.
const NAME_BYTES = 128;

const page = element('controls').closest<HTMLElement>('.studio');
const go = element<HTMLButtonElement>('go');
const stop = element<HTMLButtonElement>('stop');
const end = element<HTMLButtonElement>('end');
const again = element<HTMLButtonElement>('again');
const name = element<HTMLInputElement>('name');

let entry: Entry;
let api: Api;
let stream: RoomStream;
let direction: Direction;
// From Go to Stop, whatever the connection does meanwhile. What still waits when it is aborted ends by itself.
let onStage: AbortController | null = null;
const place = new Place();
// Another window of the same person has taken over, and is on stage.
let elsewhere = false;
// Between Go and Stop: what is sent arrives.
let connected = false;
// Who is on stage; null where the server does not tell. One that does knows a screen beside a camera, too.
let peers: Peer[] | null = null;

async function main(): Promise<void> {
  // Before anything can fail: a browser sends a form that nobody listens to, and loads the page anew.
  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    void goLive();
  });
  again.addEventListener('click', () => window.location.reload());
  drawIcons();
  entry = await enter(codeOfPage(), whoIsHere()).catch((error: Error) => {
    link('Enter a room code', '/');
    throw error;
  });
  nameRoom(entry.roomId);
  api = new Api(entry.token);
  direction = new Direction(api, () => void show());
  stream = new RoomStream(api, entry.roomId, show);
  if (!(await mayPublish(endpoint(), entry.token))) return onlyWatch();
  await open().catch((error: Error) => {
    again.hidden = false;
    throw error;
  });
  const playlist = element<HTMLAnchorElement>('playlist');
  playlist.href = `/live/${encodeURIComponent(entry.roomId)}/master.m3u8`;
  playlist.hidden = false;
  if (entry.watchCode) inviteViewers(`/watch/${encodeURIComponent(entry.watchCode)}`);
  // It shows whether there is a stream to end. Where that cannot be told now, Go tells it.
  await stream.look().catch(() => {});
  onChoice(() => void change());
  navigator.mediaDevices.addEventListener('devicechange', () => void devicesChanged());
  stop.addEventListener('click', leave);
  end.addEventListener('click', () => void endStream().catch((error: Error) => say(error.message, 'trouble')));
  window.addEventListener('pagehide', leave);
  rehearse();
  ready();
}

/** What is there once the camera is: everything to try out before going live. */
function rehearse(): void {
  element('setup').hidden = false;
  // Where a browser keeps nothing, the name is good for this visit.
  try {
    name.value = localStorage.getItem(NAME) ?? '';
    name.addEventListener('input', () => localStorage.setItem(NAME, name.value.trim()));
  } catch {
    name.value = '';
  }
  switchable();
  hearable();
  setUpProgramme();
  shareable(() => endpoint({ source: 'screen', name: ownName() }), entry.token);
  const { signal } = new AbortController();
  void whileSeen(PEOPLE_MS, signal, lookAround);
  setInterval(showElapsed, ELAPSED_MS);
}

/** Who this tab is: the same after it was reloaded, so that whoever was muted, pinned or in focus still is. */
function whoIsHere(): string | undefined {
  try {
    const user = sessionStorage.getItem(USER) ?? crypto.randomUUID();
    sessionStorage.setItem(USER, user);
    return user;
  } catch {
    // Where a browser keeps nothing, or gives a page no camera for want of https, whoever reloads comes anew.
    return undefined;
  }
}

/** The name that was given, as much of it as a server takes. */
function ownName(): string {
  const given = [...name.value.trim()];
  while (new TextEncoder().encode(given.join('')).length > NAME_BYTES) given.pop();
  return given.join('');
}

/** The room's WHIP endpoint; what is empty is left out of its query. */
function endpoint(query: Record<string, string> = {}): string {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  return `/whip/${encodeURIComponent(entry.roomId)}${given.size > 0 ? `?${given}` : ''}`;
}

/** What a code opens that may not publish. */
function onlyWatch(): void {
  say('This link is for watching.');
  for (const without of [element('stage'), go, stop]) without.hidden = true;
  link('Watch the stream', `/watch/${encodeURIComponent(codeOfPage())}`);
}

function link(text: string, href: string): void {
  const watch = element<HTMLAnchorElement>('watch');
  // What leads away from here takes its place; what is looked at beside it does not.
  watch.target = page?.dataset.phase === 'closed' && !media() ? '' : '_blank';
  watch.textContent = text;
  watch.href = href;
  watch.hidden = false;
}

/** The page to watch on: to look at, and to send to others. */
function inviteViewers(href: string): void {
  link('Watch page', href);
  const copy = element<HTMLButtonElement>('copy');
  // A page that came without TLS from elsewhere has no clipboard.
  if (!navigator.clipboard) return;
  copy.hidden = false;
  copy.addEventListener('click', async () => {
    const copied = await navigator.clipboard.writeText(new URL(href, location.href).href).then(() => true, () => false);
    copy.textContent = copied ? 'Copied' : 'Not copied';
    setTimeout(() => (copy.textContent = 'Copy link'), COPIED_MS);
  });
}

function ready(): void {
  sayWhere();
  rest();
}

/** What can be done by who is not on stage. */
function rest(): void {
  go.disabled = false;
  stop.disabled = true;
  choosable(true);
  show();
}

async function open(): Promise<void> {
  await capture(() => sayWhere());
  listenTo(media());
  await listDevices();
}

async function change(): Promise<void> {
  go.disabled = true;
  choosable(false);
  await open().then(ready, trouble);
}

/** Something was plugged in or out. What has come, or come back, is opened, unless it would change what is on stage. */
async function devicesChanged(): Promise<void> {
  await listDevices();
  if (!onStage && (gone().length > 0 || found())) await change();
}

/** Goes on stage, and stays there until Stop. */
async function goLive(): Promise<void> {
  if (onStage || go.disabled) return;
  onStage = new AbortController();
  const { signal } = onStage;
  elsewhere = false;
  place.take();
  go.disabled = true;
  choosable(false);
  stop.disabled = false;
  show();
  say('Connecting…');
  // It throws when Stop is pressed, and then there is nothing left to say.
  follow(signal).catch(() => {});
  try {
    if (gone().length > 0) await open();
    signal.throwIfAborted();
    const begun = (session: string) => place.begun(session);
    const how = { endpoint: endpoint({ name: ownName() }), token: entry.token, media, stream, look: lookOnStage, begun, connected: arrived, lost, say: tried };
    await stay(how, signal);
  } catch (error) {
    // Who has left has been told so already.
    if (signal.aborted) return;
    onStage.abort();
    onStage = null;
    trouble(error as Error);
  }
}

function arrived(connection: RTCPeerConnection): void {
  connected = true;
  const { signal } = onStage ?? new AbortController();
  void watchNetwork(connection, signal);
  sayWhere();
  show();
  // A look that comes to nothing says nothing new.
  void lookAround().catch(() => {});
}

function lost(): void {
  connected = false;
  show();
}

function tried(words: string): void {
  say(words, 'trouble');
}

/** Looks at the room's stream from time to time, until `leave` is aborted: others may end it, and start another. */
async function follow(leave: AbortSignal): Promise<never> {
  for (;;) {
    await pause(LOOK_MS, leave);
    if (!connected) continue;
    const before = stream.now;
    // A look that comes to nothing says nothing new.
    await stream.look().catch(() => {});
    leave.throwIfAborted();
    if (stream.now !== before) sayWhere();
  }
}

/** Says what is sent, and to whom: on air, while the room's stream goes on. */
function sayWhere(): void {
  const devices = gone();
  if (devices.length > 0) {
    const cure = onStage ? 'Plug it in or choose another: stop and go live again.' : 'Plug it in or choose another.';
    return say(`The ${devices.join(' and the ')} sends nothing any more: unplugged, or switched off. ${cure}`, 'trouble');
  }
  if (!onStage && elsewhere) return say('You are on stage in another window.', 'trouble');
  if (!onStage) return say(['You are not on air.', lacking()].filter(Boolean).join(' '));
  if (!connected) return;
  switch (stream.now) {
    case 'on':
      return say(['You are on air.', lackingOnAir()].filter(Boolean).join(' '), 'live');
    case 'ended':
      return say('You are on stage; the stream has ended. Stop and go live to start another.');
    case 'failed':
      return say('You are on stage; the stream has failed. Stop and go live to start another.', 'trouble');
    case 'none':
      return say('You are on stage; nobody has started the stream.');
    case 'unseen':
      return say('You are on stage.', 'live');
  }
}

/** Shows what belongs to where one is: rehearsing, or on stage. */
function show(): void {
  if (!page || !stream || !media()) return;
  page.dataset.phase = onStage ? 'stage' : 'rehearsal';
  element('setup').hidden = onStage !== null;
  element('own-words').textContent = ownWords();
  go.textContent = elsewhere ? 'Take over here' : 'Go live';
  end.hidden = stream.now !== 'on';
  element('badge').hidden = !(connected && stream.now === 'on');
  direction.of(onStage && stream.now === 'on' ? stream.id : null);
  // While the camera's connection comes back the screen's goes on.
  mayShare(onStage !== null && peers !== null);
  // Who may not see how the stream is sees it when there is one.
  showProgramme(entry.roomId, onStage !== null && (stream.now === 'on' || stream.now === 'unseen'));
  showPeople(peers, direction, entry.user);
  direction.people(peers, entry.user);
  showElapsed();
}

function ownWords(): string {
  if (!onStage) return 'Rehearsal: only you see this';
  return connected ? 'You' : 'You, not connected';
}

function showElapsed(): void {
  const elapsed = element('elapsed');
  elapsed.hidden = stream.now !== 'on' || stream.since === null;
  const time = elapsed.querySelector('time');
  if (time && stream.since !== null) time.textContent = clock(Date.now() - stream.since);
}

/** Who is on stage, as far as the server tells. Another window in this one's place has come later: it stays, and this one leaves. */
async function lookOnStage(): Promise<void> {
  const asked = performance.now();
  const answer = await api.maybe<{ peers: Record<string, Peer> }>(`/active-rooms/${encodeURIComponent(entry.roomId)}/peers`);
  peers = answer && Object.values(answer.peers);
  if (onStage && place.isTaken(peers ?? [], entry.user, asked)) {
    elsewhere = true;
    leave();
  } else if (elsewhere && !place.isAnothers(peers ?? [], entry.user)) {
    elsewhere = false;
    sayWhere();
  }
  show();
}

/** Who is on stage, who watches and how it is shown, as far as the server tells. */
async function lookAround(): Promise<void> {
  await lookOnStage();
  await direction.look();
  const viewers = stream.id && (await api.maybe<{ viewers: number }>(`/live-streams/${encodeURIComponent(stream.id)}/viewers`));
  const watching = element('viewers');
  watching.hidden = !viewers;
  const words = watching.querySelector('span');
  if (words && viewers) words.textContent = viewers.viewers === 1 ? '1 viewer' : `${viewers.viewers} viewers`;
}

/** Ends the room's live stream, for everybody. */
async function endStream(): Promise<void> {
  if (!confirm('End the stream? It ends for everybody who watches. The others stay on stage, off air.')) return;
  end.disabled = true;
  try {
    await stream.end();
  } finally {
    end.disabled = false;
  }
  leave();
  say('The stream has ended.');
}

/** Leaves the stage. The stream goes on for the others until somebody ends it. */
function leave(): void {
  if (!onStage) return;
  onStage.abort();
  onStage = null;
  connected = false;
  ready();
}

function trouble(error: Error): void {
  say(error.message, 'trouble');
  rest();
}

// Without a room or a camera there is nothing to go live with: Go stays disabled.
main().catch((error: Error) => say(error.message, 'trouble'));

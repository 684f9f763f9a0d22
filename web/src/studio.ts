import { codeOfPage, element, enter, say, type Entry } from './room';
import { mayPublish, publish, Refused } from './whip';

// Attempts in a row to get on air, doubling from the first pause to the longest: about two minutes, in which a server restarts or a
// train leaves a tunnel. Then a person decides.
const ATTEMPTS = 12;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
// How soon who is on stage is told that somebody else has ended the stream.
const LOOK_MS = 5_000;
// An answer of the API takes milliseconds: what takes longer is on its way no more.
const ANSWER_WAIT_MS = 10_000;

const preview = element<HTMLVideoElement>('preview');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const go = element<HTMLButtonElement>('go');
const stop = element<HTMLButtonElement>('stop');
const end = element<HTMLButtonElement>('end');

let entry: Entry;
// From Go to Stop, whatever the connection does meanwhile. What still waits when it is aborted ends by itself.
let onStage: AbortController | null = null;
// Between Go and Stop: what is sent arrives.
let connected = false;
// What was last heard of the room's live stream.
let stream: Stream = 'none';

/** The room's live stream. `unseen`: this role may publish and not stream, and the server does not tell it. */
type Stream = 'none' | 'on' | 'ended' | 'failed' | 'unseen';

/** What control says of a live stream, as far as this page reads it. */
interface LiveStream {
  status: 'starting' | 'running' | 'stopping' | 'completed' | 'failed';
}

async function main(): Promise<void> {
  // Before anything can fail: a browser sends a form that nobody listens to, and loads the page anew.
  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    void goLive();
  });
  entry = await enter(codeOfPage());
  if (!(await mayPublish(endpoint(), entry.token))) return onlyWatch();
  link('Playlist', `/live/${encodeURIComponent(entry.roomId)}/master.m3u8`);
  await capture();
  await listDevices();
  // It shows whether there is a stream to end. Where that cannot be told now, Go tells it.
  await look().catch(() => {});
  camera.addEventListener('change', () => void change());
  microphone.addEventListener('change', () => void change());
  navigator.mediaDevices.addEventListener('devicechange', () => void devicesChanged());
  stop.addEventListener('click', leave);
  end.addEventListener('click', () => void endStream().catch((error: Error) => say(error.message, 'trouble')));
  window.addEventListener('pagehide', leave);
  ready();
}

function endpoint(): string {
  return `/whip/${encodeURIComponent(entry.roomId)}`;
}

/** What a code opens that may not publish. */
function onlyWatch(): void {
  say('This link is for watching.');
  for (const without of [element('stage'), go, stop]) without.hidden = true;
  link('Watch the stream', `/watch/${encodeURIComponent(codeOfPage())}`);
}

function link(text: string, href: string): void {
  const watch = element<HTMLAnchorElement>('watch');
  watch.textContent = text;
  watch.href = href;
  watch.hidden = false;
}

function ready(): void {
  sayWhere();
  rest();
}

/** What can be done by who is not on stage. */
function rest(): void {
  go.disabled = false;
  stop.disabled = true;
  camera.disabled = microphone.disabled = false;
}

/** Opens the chosen devices, or the system's defaults. */
async function capture(): Promise<void> {
  if (!navigator.mediaDevices) {
    throw new Error('This browser gives cameras to secure pages only: open the studio by https or on localhost.');
  }
  const exact = (select: HTMLSelectElement) => (select.value ? { deviceId: { exact: select.value } } : {});
  const stream = await navigator.mediaDevices
    .getUserMedia({
      video: { ...exact(camera), width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
      audio: { ...exact(microphone) },
    })
    .catch((error: DOMException) => {
      throw new Error(refusal(error));
    });
  (preview.srcObject as MediaStream | null)?.getTracks().forEach((track) => track.stop());
  preview.srcObject = stream;
  for (const track of stream.getTracks()) track.addEventListener('ended', () => sayWhere());
}

/** Devices that were taken away: unplugged, or no longer allowed. Empty where all is well. */
function gone(): string[] {
  const ended = (preview.srcObject as MediaStream).getTracks().filter((track) => track.readyState === 'ended');
  return ended.map((track) => (track.kind === 'video' ? 'camera' : 'microphone'));
}

function refusal(error: DOMException): string {
  switch (error.name) {
    case 'NotAllowedError':
      return 'Camera and microphone are blocked for this page. Allow them in the address bar and reload.';
    case 'NotFoundError':
      return 'No camera or microphone was found. Plug one in and reload.';
    case 'NotReadableError':
      return 'Another programme is using the camera. Close it and reload.';
    default:
      return `The camera could not be opened: ${error.message}`;
  }
}

async function listDevices(): Promise<void> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const tracks = (preview.srcObject as MediaStream).getTracks();
  fill(camera, devices.filter((d) => d.kind === 'videoinput'), tracks.find((t) => t.kind === 'video'));
  fill(microphone, devices.filter((d) => d.kind === 'audioinput'), tracks.find((t) => t.kind === 'audio'));
}

function fill(select: HTMLSelectElement, devices: MediaDeviceInfo[], current: MediaStreamTrack | undefined): void {
  select.replaceChildren(...devices.map((device, n) => new Option(device.label || `Device ${n + 1}`, device.deviceId)));
  select.value = current?.getSettings().deviceId ?? '';
  element(`${select.id}-choice`).hidden = devices.length === 0;
}

async function change(): Promise<void> {
  go.disabled = true;
  await capture().then(ready, trouble);
}

/** Something was plugged in or out. What has come back is opened again, unless it would change what is on stage. */
async function devicesChanged(): Promise<void> {
  await listDevices();
  if (!onStage && gone().length > 0) await change();
}

/** Goes on stage, and stays there until Stop. */
async function goLive(): Promise<void> {
  if (onStage || go.disabled) return;
  onStage = new AbortController();
  const { signal } = onStage;
  go.disabled = camera.disabled = microphone.disabled = true;
  stop.disabled = false;
  say('Connecting…');
  // It throws when Stop is pressed, and then there is nothing left to say.
  follow(signal).catch(() => {});
  try {
    if (gone().length > 0) await capture();
    signal.throwIfAborted();
    await stay(signal);
  } catch (error) {
    // Who has left has been told so already.
    if (signal.aborted) return;
    onStage.abort();
    onStage = null;
    trouble(error as Error);
  }
}

/** Gets on air, and back on air, until `leave` is aborted; throws what cannot be helped by trying again. */
async function stay(leave: AbortSignal): Promise<never> {
  let failed = 0;
  // Go starts the stream, and coming back does not: somebody may have ended it meanwhile.
  let started = false;
  for (;;) {
    let cause = 'The connection could not be made: the network may block the way to the server.';
    let pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failed, LONGEST_PAUSE_MS);
    try {
      await (started ? look() : startStream());
      started = true;
      leave.throwIfAborted();
      const onConnected = () => {
        failed = 0;
        cause = 'The connection was lost.';
        connected = true;
        sayWhere();
      };
      await publish(endpoint(), entry.token, preview.srcObject as MediaStream, onConnected, leave);
    } catch (error) {
      leave.throwIfAborted();
      if (error instanceof Refused) {
        if (!error.later) throw error;
        cause = error.message;
        pauseMs = Math.max(pauseMs, error.retryAfterMs);
      } else if (unanswered(error)) {
        cause = 'The server does not answer.';
      } else {
        throw error;
      }
    } finally {
      // Another Go may be under way by now: what it says of itself stands.
      if (!leave.aborted) connected = false;
    }
    failed += 1;
    if (failed === ATTEMPTS) throw new Error(`${cause} You are not on air: ${ATTEMPTS} attempts have failed.`);
    say(`${cause} Trying again in ${Math.ceil(pauseMs / 1_000)} s…`, 'trouble');
    await pause(pauseMs, leave);
    say('Connecting…', 'trouble');
  }
}

/** What `fetch` throws where no answer came, or none in time. */
function unanswered(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError');
}

/** Looks at the room's stream from time to time, until `leave` is aborted: others may end it, and start another. */
async function follow(leave: AbortSignal): Promise<never> {
  for (;;) {
    await pause(LOOK_MS, leave);
    if (!connected) continue;
    const before = stream;
    // A look that comes to nothing says nothing new.
    await look().catch(() => {});
    leave.throwIfAborted();
    if (stream !== before) sayWhere();
  }
}

/** Says what is sent, and to whom: on air, while the room's stream goes on. */
function sayWhere(): void {
  const devices = gone();
  if (devices.length > 0) {
    const cure = onStage ? 'Plug it in or choose another: stop and go live again.' : 'Plug it in or choose another.';
    return say(`The ${devices.join(' and the ')} sends nothing any more: unplugged, or switched off. ${cure}`, 'trouble');
  }
  if (!onStage) return say('You are not on air.');
  if (!connected) return;
  switch (stream) {
    case 'on':
      return say('You are on air.', 'live');
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

function pause(ms: number, leave: AbortSignal): Promise<void> {
  return new Promise((done, abort) => {
    const timer = setTimeout(done, ms);
    leave.addEventListener('abort', () => {
      clearTimeout(timer);
      abort(leave.reason);
    }, { once: true });
  });
}

/** Starts the room's live stream where none is running, if this role may: otherwise somebody else does. */
async function startStream(): Promise<void> {
  const response = await ask('POST', `/room/${encodeURIComponent(entry.roomId)}/start`);
  if (response.status !== 403 && !response.ok) throw await refused('The stream did not start', response);
  know(response.ok ? 'on' : 'unseen');
}

/** Finds out how the room's stream is: the newest, of which a room has one at a time. */
async function look(): Promise<void> {
  const response = await ask('GET', `?room_id=${encodeURIComponent(entry.roomId)}&limit=1`);
  if (response.status === 403) return know('unseen');
  if (!response.ok) throw await refused('Whether there is a stream cannot be told', response);
  const newest = ((await response.json()) as { data: LiveStream[] }).data[0];
  switch (newest?.status) {
    case undefined:
      return know('none');
    case 'starting':
    case 'running':
      return know('on');
    case 'stopping':
    case 'completed':
      return know('ended');
    case 'failed':
      return know('failed');
  }
}

/** Notes how the stream is. Who may start one may end it. */
function know(now: Stream): void {
  stream = now;
  end.hidden = now !== 'on';
}

/** Ends the room's live stream, for everybody. */
async function endStream(): Promise<void> {
  if (!confirm('End the stream? It ends for everybody who watches. The others stay on stage, off air.')) return;
  end.disabled = true;
  try {
    const response = await ask('POST', `/room/${encodeURIComponent(entry.roomId)}/stop`);
    if (!response.ok) throw await refused('The stream did not end', response);
  } catch (error) {
    if (!unanswered(error)) throw error;
    throw new Error('Whether the stream has ended is not known: the server does not answer. Press End again.');
  } finally {
    end.disabled = false;
  }
  leave();
  know('ended');
  say('The stream has ended.');
}

function ask(method: 'GET' | 'POST', below: string): Promise<Response> {
  return fetch(`/v2/live-streams${below}`, {
    method,
    headers: { authorization: `Bearer ${entry.token}`, 'content-type': 'application/json' },
    body: method === 'POST' ? '{}' : null,
    signal: AbortSignal.timeout(ANSWER_WAIT_MS),
  });
}

async function refused(what: string, response: Response): Promise<Refused> {
  const answer = await response.json().catch(() => ({}));
  return new Refused(`${what}: ${answer.message ?? response.statusText}`, response);
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

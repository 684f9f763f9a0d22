import { codeOfPage, element, enter, say, type Entry } from './room';
import { publish, Refused } from './whip';

// Attempts in a row to get on air, doubling from the first pause to the longest: about two minutes, in which a server restarts or a
// train leaves a tunnel. Then a person decides.
const ATTEMPTS = 12;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

const preview = element<HTMLVideoElement>('preview');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const go = element<HTMLButtonElement>('go');
const stop = element<HTMLButtonElement>('stop');
const end = element<HTMLButtonElement>('end');

let entry: Entry;
// From Go to Stop, whatever the connection does meanwhile. What still waits when it is aborted ends by itself.
let onStage: AbortController | null = null;

async function main(): Promise<void> {
  entry = await enter(codeOfPage());
  const watch = element<HTMLAnchorElement>('watch');
  watch.hidden = false;
  watch.href = `/live/${encodeURIComponent(entry.roomId)}/master.m3u8`;
  await capture();
  await listDevices();
  camera.addEventListener('change', () => void change());
  microphone.addEventListener('change', () => void change());
  navigator.mediaDevices.addEventListener('devicechange', () => void listDevices());
  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    void goLive();
  });
  stop.addEventListener('click', leave);
  end.addEventListener('click', () => void endStream().catch(trouble));
  window.addEventListener('pagehide', leave);
  ready();
}

function ready(): void {
  say('You are not on air.');
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
}

async function change(): Promise<void> {
  go.disabled = true;
  await capture().then(() => (go.disabled = false), trouble);
}

/** Goes on stage, and stays there until Stop. */
async function goLive(): Promise<void> {
  if (onStage) return;
  onStage = new AbortController();
  const { signal } = onStage;
  go.disabled = camera.disabled = microphone.disabled = true;
  stop.disabled = false;
  say('Connecting…');
  try {
    await stay(signal);
  } catch (error) {
    // Who has left has been told so already.
    if (signal.aborted) return;
    onStage = null;
    trouble(error as Error);
  }
}

/** Gets on air, and back on air, until `leave` is aborted; throws what cannot be helped by trying again. */
async function stay(leave: AbortSignal): Promise<never> {
  let failed = 0;
  for (;;) {
    let cause = 'The connection could not be made: the network may block the way to the server.';
    let pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failed, LONGEST_PAUSE_MS);
    try {
      const mayStream = await startStream();
      leave.throwIfAborted();
      const connected = () => {
        failed = 0;
        cause = 'The connection was lost.';
        say(mayStream ? 'You are on air.' : 'You are on stage.', 'live');
      };
      await publish(`/whip/${encodeURIComponent(entry.roomId)}`, entry.token, preview.srcObject as MediaStream, connected, leave);
    } catch (error) {
      leave.throwIfAborted();
      if (error instanceof Refused) {
        if (!error.later) throw error;
        cause = error.message;
        pauseMs = Math.max(pauseMs, error.retryAfterMs);
      } else if (error instanceof TypeError) {
        // What `fetch` throws where no answer came.
        cause = 'The server does not answer.';
      } else {
        throw error;
      }
    }
    failed += 1;
    if (failed === ATTEMPTS) throw new Error(`${cause} You are not on air: ${ATTEMPTS} attempts have failed.`);
    say(`${cause} Trying again in ${Math.ceil(pauseMs / 1_000)} s…`, 'trouble');
    await pause(pauseMs, leave);
    say('Connecting…', 'trouble');
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

/** Starts the room's live stream where none is running. False where this role may publish and not start: then somebody else does. */
async function startStream(): Promise<boolean> {
  const response = await stream('start');
  if (response.status === 403) return false;
  if (!response.ok) throw await refused('The stream did not start', response);
  end.hidden = end.disabled = false;
  return true;
}

/** Ends the room's live stream, for everybody. */
async function endStream(): Promise<void> {
  if (!confirm('End the stream? It ends for everybody who watches, and for all on stage.')) return;
  end.disabled = true;
  leave();
  const response = await stream('stop');
  end.disabled = false;
  if (!response.ok) throw await refused('The stream did not end', response);
  end.hidden = true;
  say('The stream has ended.');
}

function stream(what: 'start' | 'stop'): Promise<Response> {
  return fetch(`/v2/live-streams/room/${encodeURIComponent(entry.roomId)}/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${entry.token}`, 'content-type': 'application/json' },
    body: '{}',
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
  ready();
}

function trouble(error: Error): void {
  say(error.message, 'trouble');
  rest();
}

main().catch(trouble);

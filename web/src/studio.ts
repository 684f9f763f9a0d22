import { codeOfPage, element, enter, say, type Entry } from './room';
import { publish, type Session } from './whip';

const preview = element<HTMLVideoElement>('preview');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const go = element<HTMLButtonElement>('go');
const stop = element<HTMLButtonElement>('stop');

let entry: Entry;
let session: Session | null = null;

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
    void goLive().catch(trouble);
  });
  stop.addEventListener('click', () => void leave().catch(trouble));
  window.addEventListener('pagehide', () => void session?.stop());
  ready();
}

function ready(): void {
  say('You are not on air.');
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
  await capture().catch(trouble);
}

async function goLive(): Promise<void> {
  go.disabled = camera.disabled = microphone.disabled = true;
  say('Connecting…');
  await startStream();
  session = await publish(`/whip/${encodeURIComponent(entry.roomId)}`, entry.token, preview.srcObject as MediaStream, {
    connected: () => say('You are on air.', 'live'),
    lost: () => {
      session = null;
      say('The connection was lost. Going live again…', 'trouble');
      void goLive().catch(trouble);
    },
  });
  stop.disabled = false;
}

/** Starts the room's live stream where none is running. */
async function startStream(): Promise<void> {
  const response = await fetch(`/v2/live-streams/room/${encodeURIComponent(entry.roomId)}/start`, {
    method: 'POST',
    headers: { authorization: `Bearer ${entry.token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Error(`The stream did not start: ${answer.message ?? response.statusText}`);
  }
}

/** Leaves the stage. The stream goes on for the others; whoever started it stops it over the API. */
async function leave(): Promise<void> {
  stop.disabled = true;
  await session?.stop();
  session = null;
  ready();
}

function trouble(error: Error): void {
  say(error.message, 'trouble');
  go.disabled = false;
  camera.disabled = microphone.disabled = false;
}

main().catch(trouble);

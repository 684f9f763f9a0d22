// Camera and microphone: opened, chosen, taken away, and switched off by a button.

import { dress, type Icon } from '../icons';
import { element } from '../room';

const preview = element<HTMLVideoElement>('preview');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const switches = {
  audio: { button: element<HTMLButtonElement>('mute'), on: 'microphone', off: 'muted', words: ['Mute', 'Unmute'], name: 'microphone' },
  video: { button: element<HTMLButtonElement>('blank'), on: 'camera', off: 'dark', words: ['Camera off', 'Camera on'], name: 'camera' },
} as const;
/** What was switched off: it stays so when another device is chosen. */
const off = { audio: false, video: false };

/** What is captured. */
export function media(): MediaStream {
  return preview.srcObject as MediaStream;
}

/** Opens the chosen devices, or the system's defaults. `ended` is called when one of them is taken away. */
export async function capture(ended: () => void): Promise<void> {
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
  for (const track of stream.getTracks()) track.addEventListener('ended', ended);
  obey();
}

/** Devices that were taken away: unplugged, or no longer allowed. Empty where all is well. */
export function gone(): string[] {
  const ended = media().getTracks().filter((track) => track.readyState === 'ended');
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

export async function listDevices(): Promise<void> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const tracks = media().getTracks();
  fill(camera, devices.filter((d) => d.kind === 'videoinput'), tracks.find((t) => t.kind === 'video'));
  fill(microphone, devices.filter((d) => d.kind === 'audioinput'), tracks.find((t) => t.kind === 'audio'));
}

function fill(select: HTMLSelectElement, devices: MediaDeviceInfo[], current: MediaStreamTrack | undefined): void {
  select.replaceChildren(...devices.map((device, n) => new Option(device.label || `Device ${n + 1}`, device.deviceId)));
  select.value = current?.getSettings().deviceId ?? '';
  element(`${select.id}-choice`).hidden = devices.length === 0;
}

/** Whether other devices can be chosen. */
export function choosable(may: boolean): void {
  camera.disabled = microphone.disabled = !may;
}

/** Calls `changed` when somebody has chosen another device. */
export function onChoice(changed: () => void): void {
  for (const select of [camera, microphone]) select.addEventListener('change', changed);
}

/** Lets the buttons switch microphone and camera off and on. */
export function switchable(): void {
  for (const kind of ['audio', 'video'] as const) {
    switches[kind].button.hidden = false;
    switches[kind].button.addEventListener('click', () => {
      off[kind] = !off[kind];
      obey();
    });
  }
}

/** A track that is switched off goes on being sent, as silence or as black: nobody's connection changes. */
function obey(): void {
  for (const track of media().getTracks()) track.enabled = !off[track.kind as 'audio' | 'video'];
  for (const kind of ['audio', 'video'] as const) show(kind);
  element('dark').hidden = !off.video;
}

function show(kind: 'audio' | 'video'): void {
  const { button, on, off: crossed, words, name } = switches[kind];
  button.toggleAttribute('data-off', off[kind]);
  dress(button, (off[kind] ? crossed : on) as Icon, off[kind] ? `Switch the ${name} on` : `Switch the ${name} off`);
  button.removeAttribute('aria-label');
  const label = button.querySelector('span');
  if (label) label.textContent = words[off[kind] ? 1 : 0];
}

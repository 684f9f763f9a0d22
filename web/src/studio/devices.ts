// Camera and microphone: opened, chosen, taken away, and switched off by a button.

import { dress, type Icon } from '../icons';
import { element } from '../room';

const preview = element<HTMLVideoElement>('preview');
const dark = element('dark');
const retry = element<HTMLButtonElement>('retry');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const switches = {
  audio: { button: element<HTMLButtonElement>('mute'), on: 'microphone', off: 'muted', words: ['Mute', 'Unmute'], name: 'microphone' },
  video: { button: element<HTMLButtonElement>('blank'), on: 'camera', off: 'dark', words: ['Camera off', 'Camera on'], name: 'camera' },
} as const;
type Kind = keyof typeof switches;
/** Why a kind could not be had. */
type Refused = Partial<Record<Kind, DOMException>>;
let missing: Refused = {};
/** Whether the buttons do anything yet. */
let offered = false;
/** What was switched off: it stays so when another device is chosen. */
const off = { audio: false, video: false };

/** What is captured. */
export function media(): MediaStream {
  return preview.srcObject as MediaStream;
}

/**
 * Opens the chosen devices, or the system's defaults; where only one kind of them can be had, that one, and `lacking` says so. `ended` is called when one of
 * them is taken away.
 */
export async function capture(ended: () => void): Promise<void> {
  if (!navigator.mediaDevices) {
    throw new Error('This browser gives cameras to secure pages only: open the studio by https or on localhost.');
  }
  const { stream, refused } = await whatThereIs();
  (preview.srcObject as MediaStream | null)?.getTracks().forEach((track) => track.stop());
  preview.srcObject = stream;
  missing = refused;
  for (const track of stream.getTracks()) track.addEventListener('ended', ended);
  obey();
}

/** Both kinds at once, so that a browser asks a person once; each alone where that fails, as it does by the fault of either. */
async function whatThereIs(): Promise<{ stream: MediaStream; refused: Refused }> {
  const exact = (select: HTMLSelectElement) => (select.value ? { deviceId: { exact: select.value } } : {});
  const video = { ...exact(camera), width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const audio = { ...exact(microphone) };
  try {
    return { stream: await navigator.mediaDevices.getUserMedia({ video, audio }), refused: {} };
  } catch {
    const tracks: MediaStreamTrack[] = [];
    const refused: Refused = {};
    // One after the other: a browser may ask a person about each.
    for (const [kind, asked] of [['video', { video }], ['audio', { audio }]] as const) {
      await navigator.mediaDevices.getUserMedia(asked).then(
        (stream) => tracks.push(...stream.getTracks()),
        (error: DOMException) => (refused[kind] = error),
      );
    }
    if (tracks.length === 0) throw new Error(neither(refused));
    return { stream: new MediaStream(tracks), refused };
  }
}

/** Which kind could not be had, and why, and that the other will do. Null where both are there. */
export function lacking(): string | null {
  if (missing.video) return `${why('video', missing.video)} You can go on stage with your voice alone.`;
  if (missing.audio) return `${why('audio', missing.audio)} You can go on stage with your picture alone.`;
  return null;
}

/** What that means for those who watch. */
export function lackingOnAir(): string | null {
  if (missing.video) return 'You are heard, and not seen.';
  if (missing.audio) return 'You are seen, and not heard.';
  return null;
}

/** Whether something is there by now that was not found before. */
export function found(): boolean {
  const isNew = (kind: Kind, select: HTMLSelectElement) => missing[kind]?.name === 'NotFoundError' && select.options.length > 1;
  return isNew('video', camera) || isNew('audio', microphone);
}

/** Devices that were taken away: unplugged, or no longer allowed. Empty where all is well. */
export function gone(): string[] {
  const ended = media().getTracks().filter((track) => track.readyState === 'ended');
  return ended.map((track) => (track.kind === 'video' ? 'camera' : 'microphone'));
}

/** Why there is nothing to go on stage with, and what helps. */
function neither({ video, audio }: Refused): string {
  if (video?.name === 'NotAllowedError' && audio?.name === 'NotAllowedError') {
    return 'Camera and microphone are blocked for this page. Allow them in the address bar and reload.';
  }
  if (video?.name === 'NotFoundError' && audio?.name === 'NotFoundError') return 'No camera or microphone was found. Plug one in and reload.';
  return `${video ? why('video', video) : ''} ${audio ? why('audio', audio) : ''} One of them is enough to go on stage.`;
}

function why(kind: Kind, error: DOMException): string {
  const { name } = switches[kind];
  switch (error.name) {
    case 'NotAllowedError':
      return `The ${name} is blocked for this page: allow it in the address bar and try again.`;
    case 'NotFoundError':
      return `No ${name} was found.`;
    case 'NotReadableError':
      return `The ${name} gives nothing: another programme may be using it. Close that and try again.`;
    case 'OverconstrainedError':
      return `The ${name} that was chosen is not there any more.`;
    default:
      return `The ${name} could not be opened: ${error.message}.`;
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
  if (current) select.value = current.getSettings().deviceId ?? '';
  else select.prepend(new Option('None', '', true, true));
  element(`${select.id}-choice`).hidden = devices.length === 0;
}

/** Whether other devices can be chosen. */
export function choosable(may: boolean): void {
  camera.disabled = microphone.disabled = retry.disabled = !may;
}

/** Calls `changed` when somebody has chosen another device, or wants one that is missing to be tried again. */
export function onChoice(changed: () => void): void {
  retry.addEventListener('click', changed);
  for (const select of [camera, microphone]) select.addEventListener('change', changed);
}

/** Lets the buttons switch microphone and camera off and on. */
export function switchable(): void {
  offered = true;
  for (const kind of ['audio', 'video'] as const) {
    switches[kind].button.addEventListener('click', () => {
      off[kind] = !off[kind];
      obey();
    });
  }
  obey();
}

/** A track that is switched off goes on being sent, as silence or as black: nobody's connection changes. */
function obey(): void {
  for (const track of media().getTracks()) track.enabled = !off[track.kind as Kind];
  for (const kind of ['audio', 'video'] as const) show(kind);
  dark.hidden = !off.video && !missing.video;
  dark.textContent = missing.video ? 'No camera' : 'Your camera is off';
  // What nothing comes from has no level and no sound to try.
  for (const part of ['meter', 'hearing']) element(part).hidden = missing.audio !== undefined;
  retry.hidden = lacking() === null;
  retry.textContent = `Try the ${missing.video ? 'camera' : 'microphone'} again`;
}

function show(kind: Kind): void {
  const { button, on, off: crossed, words, name } = switches[kind];
  button.hidden = !offered || missing[kind] !== undefined;
  button.toggleAttribute('data-off', off[kind]);
  dress(button, (off[kind] ? crossed : on) as Icon, off[kind] ? `Switch the ${name} on` : `Switch the ${name} off`);
  button.removeAttribute('aria-label');
  const label = button.querySelector('span');
  if (label) label.textContent = words[off[kind] ? 1 : 0];
}

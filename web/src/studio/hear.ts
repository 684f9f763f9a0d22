// Hearing oneself before going live: a few seconds are recorded and played back, so that nothing howls.

import { element } from '../room';
import { media } from './devices';

// Long enough for a sentence.
const RECORDED_MS = 4_000;

const button = element<HTMLButtonElement>('hear');
const words = element('heard');

export function hearable(): void {
  button.hidden = typeof MediaRecorder === 'undefined';
  button.addEventListener('click', () => void hear().catch((error: Error) => (words.textContent = `That did not work: ${error.message}`)).finally(() => (button.disabled = false)));
}

async function hear(): Promise<void> {
  button.disabled = true;
  words.textContent = 'Recording. Say something…';
  const recorder = new MediaRecorder(new MediaStream(media().getAudioTracks()));
  const parts: Blob[] = [];
  recorder.addEventListener('dataavailable', (event) => parts.push(event.data));
  const stopped = new Promise((done) => recorder.addEventListener('stop', done, { once: true }));
  recorder.start();
  await new Promise((wake) => setTimeout(wake, RECORDED_MS));
  recorder.stop();
  await stopped;
  const url = URL.createObjectURL(new Blob(parts, { type: recorder.mimeType }));
  words.textContent = 'This is how you sound.';
  const sound = new Audio(url);
  const played = new Promise((done) => ['ended', 'error'].forEach((event) => sound.addEventListener(event, done, { once: true })));
  await sound.play();
  await played;
  URL.revokeObjectURL(url);
  words.textContent = 'Too quiet or too loud? Choose another microphone, or move closer.';
}

// The level of the microphone, for eyes and screen readers.

import { element } from '../room';

// As often as eyes need to see speech move, and as often as somebody's screen reader is told.
const DRAW_MS = 66;
const TELL_EVERY = 8;
// The left end of the meter; speech into a good microphone is at some -20.
const FLOOR_DB = -60;

const meter = element('level');
let context: AudioContext | null = null;
let source: MediaStreamAudioSourceNode | null = null;
let analyser: AnalyserNode | null = null;
let drawn = 0;

/** Shows the level of this stream's sound from now on, if it has any. */
export function listenTo(stream: MediaStream): void {
  source?.disconnect();
  source = null;
  if (stream.getAudioTracks().length === 0) return;
  if (!context) {
    context = new AudioContext();
    setInterval(draw, DRAW_MS);
    // A browser may want to be touched before it lets a page work with sound.
    document.addEventListener('pointerdown', () => void context?.resume());
  }
  analyser ??= Object.assign(context.createAnalyser(), { fftSize: 2_048 });
  source = context.createMediaStreamSource(stream);
  source.connect(analyser);
}

function draw(): void {
  if (!analyser || document.visibilityState !== 'visible') return;
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const db = 10 * Math.log10(power + 1e-12);
  const percent = Math.round(Math.min(100, Math.max(0, 100 * (1 - db / FLOOR_DB))));
  meter.style.setProperty('--level', `${percent}%`);
  if (drawn++ % TELL_EVERY === 0) {
    meter.setAttribute('aria-valuenow', String(percent));
    meter.setAttribute('aria-valuetext', percent === 0 ? 'no sound' : `${percent} of 100`);
  }
}

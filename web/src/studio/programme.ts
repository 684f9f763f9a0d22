// The programme, beside one's own picture: what viewers see, without sound until somebody asks for it.

import { dress } from '../icons';
import { playRoom } from '../player';
import { element } from '../room';

const figure = element('programme');
const video = element<HTMLVideoElement>('player');
const curtain = element('curtain');
const status = element('programme-status');
const sound = element<HTMLButtonElement>('programme-sound');
// Whoever makes the programme is not among its viewers.
const CREW = { 'footlight-crew': '1' };
let playing: AbortController | null = null;

export function setUpProgramme(): void {
  sound.addEventListener('click', () => {
    video.muted = !video.muted;
    sound.setAttribute('aria-pressed', String(!video.muted));
    dress(sound, video.muted ? 'silent' : 'loud', video.muted ? 'Hear the programme' : 'Silence the programme');
    sound.removeAttribute('aria-label');
  });
}

/** Plays the room's programme, or does not. */
export function showProgramme(roomId: string, on: boolean): void {
  figure.hidden = !on;
  if (!on) {
    playing?.abort();
    playing = null;
    return;
  }
  if (playing) return;
  const here = new AbortController();
  playing = here;
  draw('The programme comes in a moment');
  video.addEventListener('playing', () => draw(null), { signal: here.signal });
  const words = (text: string) => (status.textContent = text === 'Live' ? '' : `. ${text}`);
  // The curtain opens with the first picture, not before.
  const screen = { video, headers: CREW, say: words, draw: (text: string | null) => text !== null && draw(text), begun: () => {} };
  playRoom(roomId, screen, here.signal).catch((error: Error) => here.signal.aborted || draw(error.message));
}

function draw(words: string | null): void {
  curtain.hidden = words === null;
  curtain.textContent = words;
}

import { drawIcons } from './icons';
import { playRoom } from './player';
import { codeOfPage, element, enter, goTo, nameRoom, say } from './room';
import { begun, parts, setUp } from './watch/controls';
import { listen } from './watch/keys';

const video = element<HTMLVideoElement>('player');
const curtain = element('curtain');
const controls = element('controls');
const sound = element<HTMLButtonElement>('sound');
const busy = element('busy');
const another = element<HTMLFormElement>('another');
const code = element<HTMLInputElement>('code');

async function main(): Promise<void> {
  const entered = enter(codeOfPage());
  drawIcons();
  setUp();
  listen();
  wire();
  const { roomId } = await entered.catch((error: Error) => {
    askForAnother();
    throw error;
  });
  nameRoom(roomId);
  video.poster = `/live/${encodeURIComponent(roomId)}/poster.jpg`;
  await playRoom(roomId, { video, say, draw, begun, parts }, new AbortController().signal);
}

/** Where the code opens nothing there is no player, but a field to mend it in. */
function askForAnother(): void {
  another.closest<HTMLElement>('.page')!.dataset.phase = 'closed';
  element('stage').hidden = true;
  code.value = codeOfPage();
  another.hidden = false;
}

function wire(): void {
  another.addEventListener('submit', (event) => {
    event.preventDefault();
    goTo('watch', code.value);
  });
  video.addEventListener('playing', () => say('Live', 'live'));
  video.addEventListener('waiting', () => say('Buffering…'));
  for (const event of ['playing', 'pause', 'canplay', 'ended']) video.addEventListener(event, () => (busy.hidden = true));
  for (const event of ['waiting', 'loadstart']) video.addEventListener(event, () => (busy.hidden = video.paused));
  for (const event of ['playing', 'pause', 'volumechange', 'emptied']) video.addEventListener(event, offerSound);
  sound.addEventListener('click', () => {
    video.muted = false;
    // At once: the element tells of its volume only when the browser gets to it.
    offerSound();
  });
}

/** Browsers let a page begin to play without sound only; a person has to ask for it. */
function offerSound(): void {
  sound.hidden = !video.muted || video.paused;
}

/** Draws a curtain with these words, in place of a player that has nothing to play; none opens it. */
function draw(words: string | null): void {
  curtain.hidden = words === null;
  curtain.textContent = words;
  controls.hidden = words !== null;
  if (words !== null) busy.hidden = true;
}

main().catch((error: Error) => {
  draw(error.message);
  say(error.message, 'trouble');
});

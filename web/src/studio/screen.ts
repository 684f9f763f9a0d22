// A shared screen: a session beside the camera's, of the same person.

import { element } from '../room';
import { publish } from '../whip';

const button = element<HTMLButtonElement>('share');
const words = element('sharing');
let sharing: AbortController | null = null;

/** Lets the button share a screen to `endpoint`, which says that it is one. */
export function shareable(endpoint: () => string, token: string): void {
  button.addEventListener('click', () => {
    if (sharing) return endShare();
    share(endpoint(), token).catch((error: Error) => say(error.message));
  });
}

/** Whether a screen can be shared now. What is shared ends when it cannot. */
export function mayShare(may: boolean): void {
  button.hidden = !may || !navigator.mediaDevices?.getDisplayMedia;
  if (!may) endShare();
}

export function endShare(): void {
  sharing?.abort();
}

async function share(endpoint: string, token: string): Promise<void> {
  say(null);
  const leave = new AbortController();
  sharing = leave;
  let stream: MediaStream | null = null;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
    leave.signal.throwIfAborted();
    for (const track of stream.getTracks()) {
      if (track.kind === 'video') track.contentHint = 'detail';
      // The browser's own button to stop sharing.
      track.addEventListener('ended', () => leave.abort());
    }
    show(true);
    say('Your screen is on its way…');
    await publish(endpoint, token, stream, { begun: () => {}, connected: () => say('You share your screen.') }, leave.signal);
    say('The connection of your screen was lost. Share it again.');
  } catch (error) {
    if (leave.signal.aborted) say(null);
    // Who closes the browser's question wants nothing.
    else if (error instanceof DOMException && error.name === 'NotAllowedError') say(null);
    else throw error;
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    if (sharing === leave) sharing = null;
    show(false);
  }
}

function show(on: boolean): void {
  button.toggleAttribute('data-on', on);
  const label = button.querySelector('span');
  if (label) label.textContent = on ? 'Stop sharing' : 'Share screen';
}

function say(text: string | null): void {
  words.hidden = text === null;
  words.textContent = text;
}

import Hls from 'hls.js';
import { codeOfPage, element, enter, say } from './room';

// While nothing is on air, or no other stream yet, the page asks again, at this pace.
const RETRY_MS = 2_000;
// Times in a row that the player is set up anew after an error of its media, before it counts as one that cannot play them.
const RECOVERIES = 2;

// Measured against this server's playlists: hls.js's defaults never catch up after a stall, and add a second to the latency with each.
const SETTINGS = {
  maxLiveSyncPlaybackRate: 1.1,
  liveSyncDuration: 1.4,
  liveSyncOnStallIncrease: 0.3,
  liveMaxLatencyDuration: 5,
};

const video = element<HTMLVideoElement>('player');
const curtain = element('curtain');
const sound = element<HTMLButtonElement>('sound');

async function main(): Promise<void> {
  const { roomId } = await enter(codeOfPage());
  const playlist = `/live/${encodeURIComponent(roomId)}/master.m3u8`;
  video.addEventListener('playing', () => say('Live', 'live'));
  video.addEventListener('waiting', () => say('Buffering…'));
  for (const event of ['playing', 'pause', 'volumechange', 'emptied']) video.addEventListener(event, offerSound);
  sound.addEventListener('click', () => {
    video.muted = false;
    // At once: the element tells of its volume only when the browser gets to it.
    offerSound();
  });
  let over: string | null = null;
  for (;;) {
    const stream = await nextStream(playlist, over);
    draw(null);
    const how = await play(playlist);
    if (how === 'unplayable') throw new Error('This browser cannot play the stream: it needs H.264 and AAC. Try another browser, or reload.');
    over = how === 'ended' ? stream : null;
    if (how === 'failed') {
      // A change of network, most likely.
      say('Connection lost. Trying again…', 'trouble');
      await pause();
    }
  }
}

/** Browsers let a page begin to play without sound only; a person has to ask for it. */
function offerSound(): void {
  sound.hidden = !video.muted || video.paused;
}

/** Draws a curtain with these words, in place of a player that has nothing to play; none opens it. */
function draw(words: string | null): void {
  curtain.hidden = words === null;
  curtain.textContent = words;
  video.controls = words === null;
}

function pause(): Promise<void> {
  return new Promise((wake) => setTimeout(wake, RETRY_MS));
}

/** Waits until the room's playlist leads to a stream that is not `over`; for a while after its end it leads to that one still. */
async function nextStream(playlist: string, over: string | null): Promise<string> {
  for (;;) {
    const answer = await fetch(playlist, { cache: 'no-store' }).catch(() => null);
    const stream = answer?.ok ? streamOf(await answer.text().catch(() => '')) : null;
    if (stream && stream !== over) return stream;
    if (over) {
      draw('The stream has ended');
      say('The stream has ended. The next one starts here by itself.');
    } else if (answer?.status === 404) {
      draw('Nobody is live yet');
      say('Nobody is live yet. This page starts by itself.');
    } else say('The server does not answer. Trying again…', 'trouble');
    await pause();
  }
}

/** A stream's own part of the paths in its playlist: /hls/<room>/<stream>/... */
function streamOf(playlist: string): string | null {
  return /\bhls\/[^/\s"]+\/([^/\s"]+)\//.exec(playlist)?.[1] ?? null;
}

type Outcome = 'ended' | 'failed' | 'unplayable';

/** Plays until the stream has ended, or cannot be played on: now, or by this browser at all. */
function play(playlist: string): Promise<Outcome> {
  return new Promise((done) => {
    const hls = Hls.isSupported() ? new Hls(SETTINGS) : null;
    const finish = (how: Outcome) => {
      hls?.destroy();
      video.onended = video.onerror = null;
      done(how);
    };
    video.onended = () => finish('ended');
    if (!hls) {
      if (!video.canPlayType('application/vnd.apple.mpegurl')) return finish('unplayable');
      video.onerror = () => finish('failed');
      video.src = playlist;
      return;
    }
    let recovered = 0;
    hls.on(Hls.Events.FRAG_CHANGED, () => (recovered = 0));
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type !== Hls.ErrorTypes.MEDIA_ERROR) return finish('failed');
      // What no codec of this browser's can play is not mended by trying.
      const hopeless = error.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR;
      if (hopeless || recovered === RECOVERIES) return finish('unplayable');
      recovered += 1;
      hls.recoverMediaError();
    });
    hls.loadSource(playlist);
    hls.attachMedia(video);
  });
}

main().catch((error: Error) => say(error.message, 'trouble'));

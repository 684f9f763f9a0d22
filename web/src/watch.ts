import Hls from 'hls.js';
import { codeOfPage, element, enter, say } from './room';

// While nothing is on air, or no other stream yet, the page asks again, at this pace.
const RETRY_MS = 2_000;

// Measured against this server's playlists: hls.js's defaults never catch up after a stall, and add a second to the latency with each.
const SETTINGS = {
  maxLiveSyncPlaybackRate: 1.1,
  liveSyncDuration: 1.4,
  liveSyncOnStallIncrease: 0.3,
  liveMaxLatencyDuration: 5,
};

const video = element<HTMLVideoElement>('player');

async function main(): Promise<void> {
  const { roomId } = await enter(codeOfPage());
  const playlist = `/live/${encodeURIComponent(roomId)}/master.m3u8`;
  video.addEventListener('playing', () => say('Live', 'live'));
  video.addEventListener('waiting', () => say('Buffering…'));
  let over: string | null = null;
  for (;;) {
    const stream = await nextStream(playlist, over);
    over = (await play(playlist)) === 'ended' ? stream : null;
  }
}

/** Waits until the room's playlist leads to a stream that is not `over`; for a while after its end it leads to that one still. */
async function nextStream(playlist: string, over: string | null): Promise<string> {
  for (;;) {
    const answer = await fetch(playlist, { cache: 'no-store' }).catch(() => null);
    const stream = answer?.ok ? streamOf(await answer.text().catch(() => '')) : null;
    if (stream && stream !== over) return stream;
    if (over) say('The stream has ended. The next one starts here by itself.');
    else if (answer?.status === 404) say('Nobody is live yet. This page starts by itself.');
    else say('The server does not answer. Trying again…', 'trouble');
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

/** A stream's own part of the paths in its playlist: /hls/<room>/<stream>/... */
function streamOf(playlist: string): string | null {
  return /\bhls\/[^/\s"]+\/([^/\s"]+)\//.exec(playlist)?.[1] ?? null;
}

/** Plays until the stream has ended, or cannot be played on. */
function play(playlist: string): Promise<'ended' | 'failed'> {
  return new Promise((done) => {
    const hls = Hls.isSupported() ? new Hls(SETTINGS) : null;
    const finish = (how: 'ended' | 'failed') => {
      hls?.destroy();
      video.onended = video.onerror = null;
      done(how);
    };
    video.onended = () => finish('ended');
    if (!hls) {
      video.onerror = () => finish('failed');
      video.src = playlist;
      return;
    }
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type === Hls.ErrorTypes.MEDIA_ERROR) {
        hls.recoverMediaError();
        return;
      }
      // A change of network, most likely.
      say('Connection lost. Trying again…', 'trouble');
      finish('failed');
    });
    hls.loadSource(playlist);
    hls.attachMedia(video);
  });
}

main().catch((error: Error) => say(error.message, 'trouble'));

import Hls from 'hls.js';
import { codeOfPage, element, enter, say } from './room';

// While nothing is on air the page asks again, at this pace.
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
  video.addEventListener('ended', () => say('The stream has ended.'));
  await untilOnAir(playlist);
  play(playlist);
}

async function untilOnAir(playlist: string): Promise<void> {
  for (;;) {
    const answer = await fetch(playlist).catch(() => null);
    if (answer?.ok) return;
    say(answer?.status === 404 ? 'Nobody is live yet. This page starts by itself.' : 'The server does not answer. Trying again…', answer?.status === 404 ? 'idle' : 'trouble');
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

function play(playlist: string): void {
  if (!Hls.isSupported()) {
    video.src = playlist;
    return;
  }
  const hls = new Hls(SETTINGS);
  hls.on(Hls.Events.ERROR, (_, error) => {
    if (!error.fatal) return;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) {
      hls.recoverMediaError();
      return;
    }
    // A change of network, or the stream has ended and another may begin.
    say('Connection lost. Trying again…', 'trouble');
    hls.destroy();
    void untilOnAir(playlist).then(() => play(playlist));
  });
  hls.loadSource(playlist);
  hls.attachMedia(video);
}

main().catch((error: Error) => say(error.message, 'trouble'));

// Plays a room's live stream, and the next one after that, for as long as the page is there.

import type Hls from 'hls.js';
import type { HlsConfig } from 'hls.js';
import { HeadStart } from './head_start';
import { pause } from './pace';
import type { State } from './room';

// While nothing is on air, or no other stream yet, the page asks again, at this pace.
const RETRY_MS = 2_000;
// How long a playlist may take, the connection and all of it: one that says nothing any more is given up.
const ANSWER_MS = 8_000;
// Times in a row that the player is set up anew after an error of its media, before it counts as one that cannot play them.
const RECOVERIES = 2;

/** How far from the live edge a player stays, seconds. hls.js's defaults never catch up after a stall, and add a second to the latency with each. */
export const LIVE = { maxLiveSyncPlaybackRate: 1.1, liveMaxLatencyDuration: 5 };

// Measured against this server's playlists.
const SETTINGS: Partial<HlsConfig> = {
  ...LIVE,
  liveSyncDuration: 1.4,
  liveSyncOnStallIncrease: 0.3,
  // The first picture is taken at once: a try of the smallest rung before it costs a round trip and looks poor.
  testBandwidth: false,
  startFragPrefetch: true,
};

/** What a page does about what is played. */
export interface Screen {
  /** Beside what is asked for. */
  headers?: Record<string, string>;
  video: HTMLVideoElement;
  /** Says what is going on. */
  say(words: string, state?: State): void;
  /** Draws a curtain with these words, in place of a player that has nothing to play; none opens it. */
  draw(words: string | null): void;
  /** A player that was set up for a stream; none where the browser plays by itself. */
  begun(hls: Hls | null): void;
  /** Absent where it is always all of the stream. */
  parts?: Parts;
}

/** What of a stream is played, and by whom. A change of it is obeyed at once. */
export class Parts extends EventTarget {
  /** Nothing but the sound. */
  soundAlone = false;
  /** The browser's own player plays the playlist itself: of what ours feeds it, it could not show anything on another screen. */
  natively = false;
  /** How many changes there were. */
  changes = 0;

  change(what: { soundAlone?: boolean; natively?: boolean }): void {
    const { soundAlone = this.soundAlone, natively = this.natively } = what;
    if (soundAlone === this.soundAlone && natively === this.natively) return;
    Object.assign(this, { soundAlone, natively });
    this.changes += 1;
    this.dispatchEvent(new Event('change'));
  }
}

interface Found {
  stream: string;
  playlist: string;
}

/** Plays until `leave` is aborted; throws an Error whose message can be shown where this browser cannot play. */
export async function playRoom(roomId: string, screen: Screen, leave: AbortSignal): Promise<never> {
  // Asked for at once: it comes while the first playlist does.
  const library = import('hls.js');
  library.catch(() => {});
  let over: string | null = null;
  for (;;) {
    const changes = screen.parts?.changes;
    const url = `/live/${encodeURIComponent(roomId)}/${screen.parts?.soundAlone ? 'listen' : 'master'}.m3u8`;
    const found = await nextStream(url, over, screen, leave);
    screen.draw(null);
    const head = new HeadStart(url, found.playlist, ask(screen));
    const { default: Library } = await library.catch(() => {
      throw new Error('The player did not load. Reload the page.');
    });
    leave.throwIfAborted();
    // Another choice while this one was on its way.
    if (screen.parts?.changes !== changes) continue;
    const how = await play(Library, url, head, screen, leave);
    leave.throwIfAborted();
    if (how === 'unplayable') throw new Error('This browser cannot play the stream: it needs H.264 and AAC. Try another browser, or reload.');
    over = how === 'ended' ? found.stream : null;
    if (how === 'failed') {
      // A change of network, most likely.
      screen.say('Connection lost. Trying again…', 'trouble');
      await pause(RETRY_MS, leave);
    }
  }
}

/** How everything of a stream is asked for. */
function ask({ headers }: Screen): RequestInit {
  return headers ? { headers } : {};
}

/** Waits until the room's playlist leads to a stream that is not `over`; for a while after its end it leads to that one still. */
async function nextStream(url: string, over: string | null, screen: Screen, leave: AbortSignal): Promise<Found> {
  for (;;) {
    const signal = AbortSignal.any([leave, AbortSignal.timeout(ANSWER_MS)]);
    const answer = await fetch(url, { ...ask(screen), cache: 'no-store', signal }).catch(() => null);
    const playlist = answer?.ok ? await answer.text().catch(() => '') : '';
    leave.throwIfAborted();
    const stream = streamOf(playlist);
    if (stream && stream !== over) return { stream, playlist };
    if (over) {
      screen.draw('The stream has ended');
      screen.say('The stream has ended. The next one starts here by itself.');
    } else if (answer?.status === 404) {
      screen.draw('Nobody is live yet');
      screen.say('Nobody is live yet. This page starts by itself.');
    } else screen.say('The server does not answer. Trying again…', 'trouble');
    await pause(RETRY_MS, leave);
  }
}

/** A stream's own part of the paths in its playlist: /hls/<room>/<stream>/... */
function streamOf(playlist: string): string | null {
  return /\bhls\/[^/\s"]+\/([^/\s"]+)\//.exec(playlist)?.[1] ?? null;
}

type Outcome = 'ended' | 'failed' | 'unplayable' | 'changed';

/** Plays until the stream has ended, or cannot be played on (now, or by this browser at all), or other parts of it are wanted. */
function play(Library: typeof Hls, url: string, head: HeadStart, screen: Screen, leave: AbortSignal): Promise<Outcome> {
  const { video } = screen;
  return new Promise((done) => {
    const early = { startLevel: head.level, abrEwmaDefaultEstimate: head.estimate, pLoader: head.loader(Library) };
    const xhrSetup = (request: XMLHttpRequest, url: string) => {
      if (request.readyState === XMLHttpRequest.UNSENT) request.open('GET', url);
      for (const [name, value] of Object.entries(screen.headers ?? {})) request.setRequestHeader(name, value);
    };
    const hls = Library.isSupported() && !screen.parts?.natively ? new Library({ ...SETTINGS, ...early, xhrSetup }) : null;
    const left = () => finish('ended');
    const changed = () => finish('changed');
    const finish = (how: Outcome) => {
      leave.removeEventListener('abort', left);
      screen.parts?.removeEventListener('change', changed);
      // Who has paused wants to choose, and not to be played something.
      video.autoplay = how !== 'changed' || !video.paused;
      hls?.destroy();
      video.onended = video.onerror = null;
      done(how);
    };
    leave.addEventListener('abort', left, { once: true });
    screen.parts?.addEventListener('change', changed, { once: true });
    video.onended = () => finish('ended');
    if (!hls) {
      if (!video.canPlayType('application/vnd.apple.mpegurl')) return finish('unplayable');
      video.onerror = () => finish('failed');
      video.src = url;
      return screen.begun(null);
    }
    let recovered = 0;
    hls.on(Library.Events.FRAG_CHANGED, () => (recovered = 0));
    hls.on(Library.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type !== Library.ErrorTypes.MEDIA_ERROR) return finish('failed');
      // What no codec of this browser's can play is not mended by trying.
      const hopeless = error.details === Library.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR;
      if (hopeless || recovered === RECOVERIES) return finish('unplayable');
      recovered += 1;
      hls.recoverMediaError();
    });
    screen.begun(hls);
    hls.loadSource(url);
    hls.attachMedia(video);
  });
}

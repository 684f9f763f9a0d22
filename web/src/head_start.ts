// What the player asks for first, asked for while its library is still on the way: media playlists, and the headers that they begin with.

import type Hls from 'hls.js';
import type { HlsConfig, LoaderCallbacks, LoaderConfiguration, PlaylistLoaderContext } from 'hls.js';

// Of what the browser thinks of the network, as much as a stream may take.
const SHARE = 0.7;
// Bits per second: where the browser thinks nothing of it, what most networks carry; and what no rung needs more than.
const USUAL_BPS = 2_000_000;
const MOST_BPS = 8_000_000;

// How long a playlist may take; then the player's own loader asks, which tries again.
const ANSWER_MS = 4_000;

type PlaylistLoader = NonNullable<HlsConfig['pLoader']>;

/** A playlist, and when it was read: how far a live one has gone on since then is reckoned from that. */
interface Read {
  data: string;
  at: number;
}

export class HeadStart {
  /** Bits per second that the first rung may need. */
  readonly estimate: number;
  /** The first rung, counted from the smallest. */
  readonly level: number;
  private readonly texts = new Map<string, Promise<Read | null>>();

  /** By the multivariant playlist that was read at `url`; `how` everything is asked for. */
  constructor(
    url: string,
    playlist: string,
    private readonly how: RequestInit,
  ) {
    const base = new URL(url, window.location.href);
    this.texts.set(base.href, Promise.resolve({ data: playlist, at: performance.now() }));
    const { downlink } = (navigator as Navigator & { connection?: { downlink?: number } }).connection ?? {};
    this.estimate = downlink ? Math.min(MOST_BPS, downlink * 1_000_000 * SHARE) : USUAL_BPS;
    const rungs = [...playlist.matchAll(/^#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d+).*\n([^#\s].*)$/gm)].map(([, bps, uri = '']) => ({ bps: Number(bps), uri: uri.trim() }));
    rungs.sort((a, b) => a.bps - b.bps);
    this.level = Math.max(0, rungs.filter((rung) => rung.bps <= this.estimate).length - 1);
    const sound = /^#EXT-X-MEDIA:.*TYPE=AUDIO.*URI="([^"]+)"/m.exec(playlist)?.[1];
    for (const uri of [rungs[this.level]?.uri, sound]) if (uri) this.ask(new URL(uri, base));
  }

  /** hls.js's loader of playlists, which is handed each of these once. */
  loader(Library: typeof Hls): PlaylistLoader {
    const { texts } = this;
    return class extends Library.DefaultConfig.loader {
      private gone = false;

      override load(context: PlaylistLoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<PlaylistLoaderContext>): void {
        const { href } = new URL(context.url, window.location.href);
        const early = texts.get(href);
        texts.delete(href);
        const late = () => super.load(context, config, callbacks as never);
        if (!early) return late();
        void early.then((read) => {
          if (this.gone) return;
          if (!read) return late();
          Object.assign(this.stats.loading, { start: read.at, first: read.at, end: read.at });
          callbacks.onSuccess({ url: href, data: read.data, code: 200 }, this.stats, context, null);
        });
      }

      override abort(): void {
        this.gone = true;
        super.abort();
      }

      override destroy(): void {
        this.gone = true;
        super.destroy();
      }
    } as unknown as PlaylistLoader;
  }

  private ask(url: URL): void {
    const text = read(url, this.how);
    this.texts.set(url.href, text);
    void text.then((read) => {
      const header = /^#EXT-X-MAP:.*URI="([^"]+)"/m.exec(read?.data ?? '')?.[1];
      // Into the browser's cache, where the player finds it.
      if (header) void fetch(new URL(header, url), this.how).catch(() => {});
    });
  }
}

async function read(url: URL, how: RequestInit): Promise<Read | null> {
  const answer = await fetch(url, { ...how, signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
  const data = answer?.ok ? await answer.text().catch(() => null) : null;
  return data === null ? null : { data, at: performance.now() };
}

// How far behind the live edge the viewer is, and the way back to it.

import type Hls from 'hls.js';
import { LIVE } from '../player';

// Behind by this much more than the player wants to be, it is worth a word and a button. Less is its own to make up for.
const WORTH_A_BUTTON_SECONDS = 2;
// Who pauses for no longer than this means to see what is live.
const SHORT_PAUSE_MS = 1_500;

/** The viewer's distance from the live edge. */
export class Edge {
  private hls: Hls | null = null;
  private pausedAt: number | null = null;

  constructor(private readonly video: HTMLVideoElement) {
    video.addEventListener('pause', () => {
      this.pausedAt = performance.now();
      // The player does not hurry to the edge, nor jump to it: somebody wants to see what they have missed.
      this.keep({ maxLiveSyncPlaybackRate: 1, liveMaxLatencyDuration: Infinity });
    });
    video.addEventListener('play', () => {
      if (this.pausedAt !== null && performance.now() - this.pausedAt < SHORT_PAUSE_MS) this.keep(LIVE);
      this.pausedAt = null;
    });
  }

  begun(hls: Hls | null): void {
    this.hls = hls;
  }

  /** Seconds behind the live edge; none where it cannot be told. */
  behind(): number | null {
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
    if (this.hls) return this.hls.latency > 0 ? this.hls.latency : null;
    const { seekable } = this.video;
    return seekable.length > 0 ? Math.max(0, seekable.end(seekable.length - 1) - this.video.currentTime) : null;
  }

  /** Whether that is more than the player's own distance. */
  late(): boolean {
    const behind = this.behind();
    return behind !== null && behind > (this.hls?.targetLatency ?? LIVE.liveMaxLatencyDuration) + WORTH_A_BUTTON_SECONDS;
  }

  goLive(): void {
    this.keep(LIVE);
    const { seekable } = this.video;
    const edge = this.hls?.liveSyncPosition ?? (seekable.length > 0 ? seekable.end(seekable.length - 1) : null);
    if (edge !== null) this.video.currentTime = edge;
    this.pausedAt = null;
    void this.video.play().catch(() => {});
  }

  private keep(distance: typeof LIVE): void {
    if (this.hls) Object.assign(this.hls.config, distance);
  }
}

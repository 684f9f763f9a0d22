// Other screens: Cast by the Remote Playback API, AirPlay by Safari's own. Each button is there while the browser knows of a screen.

import type Hls from 'hls.js';
import type { Events } from 'hls.js';
import { dress } from '../icons';

interface AirPlay {
  webkitShowPlaybackTargetPicker(): void;
  readonly webkitCurrentPlaybackTargetIsWireless?: boolean;
}

/** What Safari can show elsewhere; none in other browsers. */
function airPlayOf(video: HTMLVideoElement): (HTMLVideoElement & AirPlay) | null {
  return 'webkitShowPlaybackTargetPicker' in video ? (video as HTMLVideoElement & AirPlay) : null;
}

export function elsewhere(video: HTMLVideoElement, cast: HTMLElement, airplay: HTMLElement): void {
  dress(cast, 'cast', 'Play on another screen');
  dress(airplay, 'airplay', 'AirPlay');
  const target = airPlayOf(video);
  if (target) {
    video.addEventListener('webkitplaybacktargetavailabilitychanged', (event) => {
      airplay.hidden = (event as Event & { availability?: string }).availability !== 'available';
    });
    airplay.addEventListener('click', () => target.webkitShowPlaybackTargetPicker());
    return;
  }
  if (!('remote' in video)) return;
  // It refuses where it cannot watch for screens, or cannot send what this page plays: then there is no button.
  video.remote.watchAvailability((available) => (cast.hidden = !available)).catch(() => {});
  cast.addEventListener('click', () => void video.remote.prompt().catch(() => {}));
}

/** Gives Safari the playlist beside what `hls` feeds it: of the latter it can show nothing elsewhere. A screen asks for its media itself. */
export function sendable(hls: Hls, video: HTMLVideoElement): void {
  const target = airPlayOf(video);
  if (!target) return;
  const here = new AbortController();
  hls.once('hlsDestroying' as Events.DESTROYING, () => here.abort());
  hls.on('hlsMediaAttached' as Events.MEDIA_ATTACHED, () => {
    video.append(Object.assign(document.createElement('source'), { type: 'application/vnd.apple.mpegurl', src: hls.url ?? '' }));
    // hls.js says so to open its media source, which is open by now.
    video.disableRemotePlayback = false;
  });
  hls.on('hlsMediaDetaching' as Events.MEDIA_DETACHING, () => video.replaceChildren());
  const wireless = () => (target.webkitCurrentPlaybackTargetIsWireless ? hls.stopLoad() : hls.startLoad());
  video.addEventListener('webkitcurrentplaybacktargetiswirelesschanged', wireless, { signal: here.signal });
}

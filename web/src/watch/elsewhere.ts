// Other screens: Cast by the Remote Playback API, AirPlay by Safari's own. Each button is there while the browser knows of a screen.

import type Hls from 'hls.js';
import type { Events } from 'hls.js';
import { dress } from '../icons';
import type { Parts } from '../player';

interface AirPlay {
  webkitShowPlaybackTargetPicker(): void;
  readonly webkitCurrentPlaybackTargetIsWireless?: boolean;
}

/** What Safari can show elsewhere; none in other browsers. */
function airPlayOf(video: HTMLVideoElement): (HTMLVideoElement & AirPlay) | null {
  return 'webkitShowPlaybackTargetPicker' in video ? (video as HTMLVideoElement & AirPlay) : null;
}

export function elsewhere(video: HTMLVideoElement, cast: HTMLElement, airplay: HTMLElement, parts: Parts): void {
  dress(cast, 'cast', 'Play on another screen');
  dress(airplay, 'airplay', 'AirPlay');
  const target = airPlayOf(video);
  if (target) {
    video.addEventListener('webkitplaybacktargetavailabilitychanged', (event) => {
      airplay.hidden = (event as Event & { availability?: string }).availability !== 'available';
    });
    video.addEventListener('webkitcurrentplaybacktargetiswirelesschanged', () => parts.change({ natively: target.webkitCurrentPlaybackTargetIsWireless ?? false }));
    airplay.addEventListener('click', () => target.webkitShowPlaybackTargetPicker());
    return;
  }
  if (!('remote' in video)) return;
  // It refuses where it cannot watch for screens, or cannot send what this page plays: then there is no button.
  video.remote.watchAvailability((available) => (cast.hidden = !available)).catch(() => {});
  cast.addEventListener('click', () => void video.remote.prompt().catch(() => {}));
}

/**
 * Lets an iPhone send what `hls` plays to other screens: its media source can be sent nowhere, and is opened only where that is forbidden or there is a
 * source beside it that can be sent. Other Safaris forbid nothing, and look at no source beside an element's own.
 */
export function sendable(hls: Hls, video: HTMLVideoElement): void {
  if (!airPlayOf(video)) return;
  hls.on('hlsMediaAttached' as Events.MEDIA_ATTACHED, () => {
    if (video.hasAttribute('src')) return;
    video.append(Object.assign(document.createElement('source'), { type: 'application/vnd.apple.mpegurl', src: hls.url ?? '' }));
    video.disableRemotePlayback = false;
  });
  hls.on('hlsMediaDetached' as Events.MEDIA_DETACHED, () => video.replaceChildren());
}

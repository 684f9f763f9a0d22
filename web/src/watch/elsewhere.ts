// Other screens: Cast by the Remote Playback API, AirPlay by Safari's own. Each button is there while the browser knows of a screen.

import { dress } from '../icons';

interface AirPlay {
  webkitShowPlaybackTargetPicker(): void;
}

export function elsewhere(video: HTMLVideoElement, cast: HTMLElement, airplay: HTMLElement): void {
  dress(cast, 'cast', 'Play on another screen');
  dress(airplay, 'airplay', 'AirPlay');
  if ('webkitShowPlaybackTargetPicker' in video) {
    const target = video as unknown as AirPlay;
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

// What a poor network does to what is sent, in words that help.

import { element } from '../room';
import { pause } from '../pace';

const LOOK_MS = 2_000;
// Of the packets, as the server reports them: beyond this, repairs are seen and heard.
const LOSS = 0.05;
// Beyond this, lost packets come again too late to be shown.
const ROUND_TRIP_SECONDS = 0.4;
// A browser that sends less than it would like to, for this long, does so because of the network; for shorter, it is finding its pace.
const LIMITED_MS = 5_000;
// In which a browser finds out at first how much the network carries.
const FINDING_MS = 10_000;

const notice = element('network');

/** Shows what is wrong with the network of this connection, until `leave` is aborted. */
export async function watchNetwork(connection: RTCPeerConnection, leave: AbortSignal): Promise<void> {
  const from = performance.now();
  let limitedSince: number | null = null;
  tell(null);
  try {
    for (;;) {
      await pause(LOOK_MS, leave);
      // Another connection has a watch of its own, which says it again.
      if (connection.connectionState === 'closed') return tell(null);
      const [report, now] = [await connection.getStats(), performance.now()];
      const stats = [...(report as unknown as Map<string, Record<string, unknown>>).values()];
      limitedSince = isLimited(stats) && now - from > FINDING_MS ? (limitedSince ?? now) : null;
      tell(words(stats, limitedSince !== null && now - limitedSince > LIMITED_MS));
    }
  } catch {
    // Left.
    tell(null);
  }
}

function words(stats: Record<string, unknown>[], limited: boolean): string | null {
  const remote = stats.filter((s) => s['type'] === 'remote-inbound-rtp');
  const worst = (name: string) => Math.max(0, ...remote.map((s) => Number(s[name] ?? 0)));
  const [loss, roundTrip] = [worst('fractionLost'), worst('roundTripTime')];
  const cure = 'Use a cable or move closer to your router, and close what else uses the network.';
  if (loss > LOSS) return `Your network loses ${Math.round(loss * 100)} % of what you send: others may see and hear you break up. ${cure}`;
  if (roundTrip > ROUND_TRIP_SECONDS) return `Your network is slow: an answer takes ${Math.round(roundTrip * 1_000)} ms. ${cure}`;
  if (limited) return `Your network carries less than your camera needs, so your picture is less sharp. ${cure}`;
  return null;
}

function isLimited(stats: Record<string, unknown>[]): boolean {
  return stats.some((s) => s['type'] === 'outbound-rtp' && s['qualityLimitationReason'] === 'bandwidth');
}

function tell(text: string | null): void {
  notice.hidden = text === null;
  if (notice.textContent !== (text ?? '')) notice.textContent = text ?? '';
}

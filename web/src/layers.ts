// Simulcast: a camera is sent in three sizes, of which the server takes the one that fits its tile.

// A quarter, a half and all of it, the smallest first, as the server knows them. Together they need an uplink of 2.4 Mbit/s; on less, the
// browser leaves out the largest first.
const LAYERS: RTCRtpEncodingParameters[] = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];
// A smaller picture than this has no layers worth their packets.
const LEAST = { long: 640, short: 360 };

/** What a track is sent as; null is in one piece. */
export function encodings(track: MediaStreamTrack): RTCRtpEncodingParameters[] | null {
  // A shared screen is read: it is sent whole or not at all.
  if (track.kind !== 'video' || track.contentHint === 'detail') return null;
  const { width = 0, height = 0 } = track.getSettings();
  const large = Math.max(width, height) >= LEAST.long && Math.min(width, height) >= LEAST.short;
  return large ? LAYERS.map((layer) => ({ ...layer })) : null;
}

/** A server that takes no layers leaves the first, which is the smallest: it is made the whole picture. */
export async function settle(connection: RTCPeerConnection, answer: string): Promise<void> {
  if (/^a=simulcast:/m.test(answer)) return;
  for (const sender of connection.getSenders()) {
    const parameters = sender.getParameters();
    const [first] = parameters.encodings;
    if (sender.track?.kind !== 'video' || !first || (first.scaleResolutionDownBy ?? 1) === 1) continue;
    first.scaleResolutionDownBy = 1;
    first.maxBitrate = LAYERS.at(-1)?.maxBitrate ?? 0;
    await sender.setParameters(parameters).catch(() => {});
  }
}

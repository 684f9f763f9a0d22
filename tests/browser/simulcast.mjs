// The studio page publishes its camera in three simulcast layers, a quarter, a half and all of it, for so long. Takes a JSON object of
// {studio: {url, camera, microphone}, codec, seconds}; prints what the browser says of its layers at the end.

import { browser, closeAll } from './browser.mjs';

const { studio, codec, seconds } = JSON.parse(process.argv[2]);

/** Runs in the page before its own scripts: keeps its connections, and has them send layers of one codec. */
function instrument(mime) {
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
    addTransceiver(track, init) {
      if (track.kind !== 'video') return super.addTransceiver(track, init);
      const layer = (rid, scaleResolutionDownBy, maxBitrate) => ({ rid, scaleResolutionDownBy, maxBitrate });
      const sendEncodings = [layer('q', 4, 100_000), layer('h', 2, 250_000), layer('f', 1, 800_000)];
      const transceiver = super.addTransceiver(track, { ...init, sendEncodings });
      const all = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences(all.filter((c) => [mime, 'video/rtx'].includes(c.mimeType)));
      return transceiver;
    }
  };
}

async function main() {
  const page = await browser([`--use-file-for-fake-video-capture=${studio.camera}`, `--use-file-for-fake-audio-capture=${studio.microphone}`]);
  await page.addInitScript(instrument, `video/${codec}`);
  await page.goto(studio.url);
  await page.locator('#go:not([disabled])').click({ timeout: 20_000 });
  await page.locator('#status[data-state="live"]').waitFor({ timeout: 20_000 });
  await page.waitForTimeout(seconds * 1_000);
  const layers = await page.evaluate(async () => {
    const stats = [...(await window.connections[0].getStats()).values()];
    const video = stats.filter((s) => s.type === 'outbound-rtp' && s.kind === 'video');
    return video.map((s) => ({ rid: s.rid, height: s.frameHeight, encoded: s.framesEncoded, keys: s.keyFramesEncoded }));
  });
  console.log(JSON.stringify({ layers }));
}

try {
  await main();
} finally {
  await closeAll();
}

// The studio page publishes through a relay that loses and delays, with one codec. After so many encoded frames the camera is taken away, so that what
// was encoded and what the server has of it can be compared. Takes a JSON object of {studio: {url, camera, microphone}, codec, frames, server: port,
// relay: port, admin: url}; prints what the browser says it sent and the server's metrics.

import { browser, closeAll, sendThrough } from './browser.mjs';

const { studio, codec, frames, server, relay, admin } = JSON.parse(process.argv[2]);
// What is still to be repaired is given up after 400 ms.
const LAST_REPAIRS_MS = 1_000;

/** Runs in the page before its own scripts: keeps its connections, and has them offer one codec and one layer, so that what was encoded can be compared with what is taken. */
function instrument(mime) {
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
    addTransceiver(track, init) {
      const { sendEncodings, ...whole } = init;
      const transceiver = super.addTransceiver(track, whole);
      if (track.kind === 'video') {
        const all = RTCRtpSender.getCapabilities('video').codecs;
        transceiver.setCodecPreferences(all.filter((c) => [mime, 'video/rtx'].includes(c.mimeType)));
      }
      return transceiver;
    }
  };
}

/** What the browser sent of its picture. */
function sent(page) {
  return page.evaluate(async () => {
    const stats = [...(await window.connections[0].getStats()).values()];
    const video = stats.find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
    return { encoded: video.framesEncoded, retransmitted: video.retransmittedPacketsSent, packets: video.packetsSent, height: video.frameHeight };
  });
}

async function main() {
  const page = await browser([`--use-file-for-fake-video-capture=${studio.camera}`, `--use-file-for-fake-audio-capture=${studio.microphone}`]);
  await page.addInitScript(instrument, `video/${codec}`);
  await sendThrough(page, { server, relay });
  await page.goto(studio.url);
  await page.locator('#go:not([disabled])').click({ timeout: 20_000 });
  await page.locator('#status[data-state="live"]').waitFor({ timeout: 20_000 });
  let now = await sent(page);
  while (now.encoded < frames) {
    await page.waitForTimeout(100);
    now = await sent(page);
  }
  await page.evaluate(() => Promise.all(window.connections[0].getSenders().map((sender) => sender.replaceTrack(null))));
  await page.waitForTimeout(LAST_REPAIRS_MS);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  console.log(JSON.stringify({ height: now.height, ...(await sent(page)), metrics }));
}

try {
  await main();
} finally {
  await closeAll();
}

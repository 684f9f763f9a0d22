// The studio page publishes its camera in its three simulcast layers, a quarter, a half and all of it, for so long. Takes a JSON object of
// {studio: {url, camera, microphone}, codec, seconds, bitrates?: [bits per second of each layer], through?: {server: port, relay: port}, until?: a
// file that ends it earlier once it is there}; prints what the browser says of its layers, each second and at the end.

import { existsSync } from 'node:fs';
import { browser, closeAll, sendThrough } from './browser.mjs';

const { studio, codec, seconds, bitrates, through, until } = JSON.parse(process.argv[2]);

/** Runs in the page before its own scripts: keeps its connections, and has them send layers of one codec. */
function instrument({ mime, bitrates }) {
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
    addTransceiver(track, init) {
      if (track.kind !== 'video') return super.addTransceiver(track, init);
      const sendEncodings = init.sendEncodings.map((layer, i) => ({ ...layer, maxBitrate: bitrates?.[i] ?? layer.maxBitrate }));
      const transceiver = super.addTransceiver(track, { ...init, sendEncodings });
      const all = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences(all.filter((c) => [mime, 'video/rtx'].includes(c.mimeType)));
      return transceiver;
    }
  };
}

/** What the browser says of its layers. */
function layers(page) {
  return page.evaluate(async () => {
    const stats = [...(await window.connections[0].getStats()).values()];
    const video = stats.filter((s) => s.type === 'outbound-rtp' && s.kind === 'video');
    return video.map((s) => ({ rid: s.rid, height: s.frameHeight, encoded: s.framesEncoded, keys: s.keyFramesEncoded }));
  });
}

async function main() {
  const page = await browser([`--use-file-for-fake-video-capture=${studio.camera}`, `--use-file-for-fake-audio-capture=${studio.microphone}`]);
  await page.addInitScript(instrument, { mime: `video/${codec}`, bitrates });
  if (through) await sendThrough(page, through);
  await page.goto(studio.url);
  await page.locator('#go:not([disabled])').click({ timeout: 20_000 });
  await page.locator('#status[data-state="live"]').waitFor({ timeout: 20_000 });
  const second = [];
  for (let at = 0; at < seconds && !(until && existsSync(until)); at += 1) {
    await page.waitForTimeout(1_000);
    second.push(await layers(page));
  }
  console.log(JSON.stringify({ layers: second.at(-1), second }));
}

try {
  await main();
} finally {
  await closeAll();
}

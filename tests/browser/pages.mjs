// A broadcaster's browser and a viewer's, each a Chromium of its own: the studio page goes live with a fake camera, the watch page plays.
// Prints one JSON object; what it means is for the test that runs this to judge.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [studioUrl, watchUrl, camera, microphone, seconds, screenshots] = process.argv.slice(2);

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--autoplay-policy=no-user-gesture-required',
];

const folders = [];
const browsers = [];

async function browser(flags) {
  const folder = mkdtempSync(join(tmpdir(), 'footlight-browser-'));
  folders.push(folder);
  const options = { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...flags], headless: true };
  const context = await chromium.launchPersistentContext(folder, { ...options, viewport: { width: 1280, height: 800 } });
  browsers.push(context);
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && console.error(`console: ${message.text()}`));
  return page;
}

/** The video's middle, as [red, green, blue], with what its element says of itself. */
function look(page) {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 16, 9);
    const [red, green, blue] = context.getImageData(8, 4, 1, 1).data;
    const quality = video.getVideoPlaybackQuality();
    return { at: performance.now(), time: video.currentTime, pixel: [red, green, blue], size: [video.videoWidth, video.videoHeight], frames: quality.totalVideoFrames };
  });
}

async function main() {
  const studio = await browser([`--use-file-for-fake-video-capture=${camera}`, `--use-file-for-fake-audio-capture=${microphone}`]);
  await studio.goto(studioUrl);
  await studio.locator('#go:not([disabled])').click({ timeout: 20_000 });
  await studio.locator('#status[data-state="live"]').waitFor({ timeout: 20_000 });
  await studio.screenshot({ path: `${screenshots}/studio.png` });

  const watch = await browser([]);
  await watch.goto(watchUrl);
  await watch.waitForFunction(() => document.querySelector('video').currentTime > 0, null, { timeout: 20_000 });
  const stalls = watch.evaluate((ms) => {
    const video = document.querySelector('video');
    let count = 0;
    video.addEventListener('waiting', () => (count += 1));
    return new Promise((done) => setTimeout(() => done(count), ms));
  }, seconds * 1_000);
  const looks = [];
  for (let i = 0; i < seconds; i += 1) {
    looks.push(await look(watch));
    await watch.waitForTimeout(1_000);
  }
  await watch.screenshot({ path: `${screenshots}/watch.png` });
  const result = { stalls: await stalls, looks, status: await watch.locator('#status').textContent() };
  await studio.locator('#stop').click();
  await studio.locator('#go:not([disabled])').waitFor({ timeout: 10_000 });
  console.log(JSON.stringify(result));
}

try {
  await main();
} finally {
  for (const context of browsers) await context.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

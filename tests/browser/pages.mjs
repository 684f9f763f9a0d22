// A broadcaster's browser and a viewer's, each a Chromium of its own: the studio page goes live with a fake camera, the watch page plays.
// Takes a JSON object of {studio?: {url, camera, microphone}, watch: {url}, seconds, screenshots}; prints one, whose meaning
// is for the test that runs this to judge.

import { browser, closeAll } from './browser.mjs';

// Publishers flash each second: looks at the same pace would see nothing but flashes, or none.
const LOOK_MS = 730;

const { studio, watch, seconds, screenshots } = JSON.parse(process.argv[2]);

/** The video in 16 x 9 pixels, row by row, each [red, green, blue], with what its element says of itself. */
function look(page) {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 16, 9);
    const { data } = context.getImageData(0, 0, 16, 9);
    const pixels = Array.from({ length: 16 * 9 }, (_, i) => [data[4 * i], data[4 * i + 1], data[4 * i + 2]]);
    const quality = video.getVideoPlaybackQuality();
    return { time: video.currentTime, pixels, size: [video.videoWidth, video.videoHeight], frames: quality.totalVideoFrames };
  });
}

async function goLive() {
  const page = await browser([`--use-file-for-fake-video-capture=${studio.camera}`, `--use-file-for-fake-audio-capture=${studio.microphone}`]);
  await page.goto(studio.url);
  await page.locator('#go:not([disabled])').click({ timeout: 20_000 });
  await page.locator('#status[data-state="live"]').waitFor({ timeout: 20_000 });
  await page.screenshot({ path: `${screenshots}/studio.png` });
  return page;
}

async function play() {
  const page = await browser([]);
  await page.goto(watch.url);
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0, null, { timeout: 20_000 });
  const stalls = page.evaluate((ms) => {
    const video = document.querySelector('video');
    let count = 0;
    video.addEventListener('waiting', () => (count += 1));
    return new Promise((done) => setTimeout(() => done(count), ms));
  }, seconds * 1_000);
  const looks = [];
  for (let i = 0; i < (seconds * 1_000) / LOOK_MS; i += 1) {
    looks.push(await look(page));
    await page.waitForTimeout(LOOK_MS);
  }
  await page.screenshot({ path: `${screenshots}/watch.png` });
  return { stalls: await stalls, looks, status: await page.locator('#status').textContent() };
}

try {
  const broadcaster = studio && (await goLive());
  const played = await play();
  if (broadcaster) {
    await broadcaster.locator('#stop').click();
    await broadcaster.locator('#go:not([disabled])').waitFor({ timeout: 10_000 });
  }
  console.log(JSON.stringify(played));
} finally {
  await closeAll();
}

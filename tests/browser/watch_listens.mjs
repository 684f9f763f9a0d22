// The watch page's sound alone, and back to pictures. Takes a JSON object of {watch: URL, screenshots}; prints what was seen.

import { browser, closeAll } from './browser.mjs';

const { watch, screenshots } = JSON.parse(process.argv[2]);
const WAIT = { timeout: 30_000 };
/** Seconds that are listened to with the page in sight, and as many out of it: more than is buffered. */
const LISTENED_SECONDS = 3;

async function main() {
  const page = await browser([]);
  const of = (read) => page.evaluate(read);
  const until = (check, value) => page.waitForFunction(check, value, { ...WAIT, polling: 100 });
  const time = () => of(() => document.querySelector('#player').currentTime);
  /** The stream's renditions that were asked for since the last time, by the names in their paths. */
  const asked = [];
  page.on('request', (request) => {
    const [, rendition] = /\/hls\/[^/]+\/[^/]+\/([^/]+)\//.exec(request.url()) ?? [];
    if (rendition) asked.push(rendition);
  });
  const renditions = () => [...new Set(asked.splice(0))].sort();
  const choose = async (words) => {
    // Whoever moves sees the controls.
    await page.locator('#stage').hover();
    await page.locator('#quality').click();
    await page.locator('#quality-menu [role=menuitemradio]', { hasText: words }).click();
  };
  /** Waits until so much more has been played. */
  const goesOn = async () => until((from) => document.querySelector('#player').currentTime > from, (await time()) + LISTENED_SECONDS);

  await page.goto(watch);
  await until(() => document.querySelector('#player').videoHeight > 0 && document.querySelector('#status').dataset.state === 'live');
  const seen = { both: renditions().includes('audio') };
  await choose('Audio only');
  asked.length = 0;
  seen.chosen = await page.locator('#quality').getAttribute('aria-label');
  await until(() => document.querySelector('#player').readyState > 2);
  await goesOn();
  seen.muted = await of(() => document.querySelector('#player').muted);
  seen.words = await page.locator('#listening').innerText();
  seen.pictureInPicture = await page.locator('#corner').isVisible();
  await page.screenshot({ path: `${screenshots}/watch-audio-only.png` });
  // Another tab has the screen, as far as the page can tell: a headless browser's pages are all in sight.
  await of(() => {
    Object.defineProperties(document, { visibilityState: { get: () => 'hidden' }, hidden: { get: () => true } });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await goesOn();
  seen.alone = { renditions: renditions(), paused: await of(() => document.querySelector('#player').paused), height: await of(() => document.querySelector('#player').videoHeight) };
  seen.behind = parseInt(await page.locator('#behind').textContent(), 10);

  await choose('180p');
  await until(() => document.querySelector('#player').videoHeight === 180);
  await until(() => document.querySelector('#player').getVideoPlaybackQuality().totalVideoFrames > 30);
  seen.back = { words: await page.locator('#listening').isVisible(), quality: await page.locator('#quality').getAttribute('aria-label'), renditions: renditions().includes('180p') };
  // Who has paused is not played anything by a choice.
  await page.keyboard.press('k');
  await choose('Audio only');
  await until(() => document.querySelector('#player').readyState > 2);
  seen.paused = await of(() => document.querySelector('#player').paused);
  await page.keyboard.press('k');
  await goesOn();
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

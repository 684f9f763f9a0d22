// The watch page's controls, by keyboard and by menu. Takes a JSON object of {watch: URL, screenshots}; prints what was seen.

import { browser, closeAll } from './browser.mjs';

const { watch, screenshots } = JSON.parse(process.argv[2]);
const WAIT = { timeout: 30_000 };
/** Longer than the player lets pass before it would jump to the live edge by itself. */
const AWAY_MS = 7_000;

async function main() {
  const page = await browser([]);
  const of = (read) => page.evaluate(read);
  const until = (check, value) => page.waitForFunction(check, value, WAIT);
  const volume = () => of(() => Math.round(document.querySelector('#player').volume * 100));
  const state = () => of(() => {
    const video = document.querySelector('#player');
    return { paused: video.paused, muted: video.muted, full: document.fullscreenElement !== null, help: document.querySelector('#help').open };
  });
  await page.goto(watch);
  await until(() => document.querySelector('#status').dataset.state === 'live');
  const seen = { keys: {} };
  for (const key of ['m', 'm', 'f', 'f', '?', '?', 'k', ' ']) {
    const before = await state();
    await page.keyboard.press(key);
    // Full screen comes when the browser gets to it.
    await page.waitForTimeout(500);
    const after = await state();
    (seen.keys[key] ??= []).push(Object.keys(after).filter((name) => after[name] !== before[name]));
  }
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  seen.volume = await volume();

  // Behind, and back.
  await page.locator('#play').click();
  await page.waitForTimeout(AWAY_MS);
  await page.keyboard.press('k');
  await until(() => document.querySelector('#live-word').textContent === 'Go to live');
  await page.waitForTimeout(1_500);
  seen.behind = parseInt(await page.locator('#behind').textContent(), 10);
  // On a phone, too, in short; what is read aloud is the same.
  const distance = () => of(() => {
    const [behind, controls] = [document.querySelector('#behind'), document.querySelector('#controls')];
    const seen = [...behind.children].filter((part) => part.getBoundingClientRect().width > 1).map((part) => part.textContent);
    return { seen: seen.join('').replace(/\d+/, 'n'), text: behind.textContent.replace(/\d+/, 'n'), fits: controls.scrollWidth <= controls.clientWidth };
  });
  seen.distance = { desk: await distance() };
  await page.setViewportSize({ width: 390, height: 844 });
  seen.distance.phoneLate = await distance();
  await page.screenshot({ path: `${screenshots}/watch-late-390.png` });
  await page.keyboard.press('l');
  await until(() => document.querySelector('#live-word').textContent === 'Live');
  seen.distance.phone = await distance();
  await page.screenshot({ path: `${screenshots}/watch-live-390.png` });
  await page.setViewportSize({ width: 1280, height: 800 });

  // The menu of qualities by keyboard: the last item is no picture, the one before it the smallest, the first is Auto.
  await page.locator('#quality').focus();
  await page.keyboard.press('Enter');
  seen.qualities = await page.locator('#quality-menu [role=menuitemradio]').allTextContents();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await until(() => document.querySelector('#player').videoHeight === 180);
  seen.quality = await page.locator('#quality').getAttribute('aria-label');
  seen.focus = await of(() => document.activeElement.id);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  seen.auto = await page.locator('#quality').getAttribute('aria-label');
  // By mouse: the next keys are the player's.
  await page.locator('#quality').click();
  await page.locator('#quality-menu [role=menuitemradio]').first().click();
  seen.byMouse = [];
  for (let time = 0; time < 2; time += 1) {
    const { paused } = await state();
    await page.keyboard.press(' ');
    await page.waitForTimeout(500);
    seen.byMouse.push((await state()).paused !== paused);
  }
  seen.byMouse.push(await page.locator('#quality-menu').isVisible());

  // Captions, once the media have some.
  seen.captions = [await page.locator('#captions').isVisible()];
  await of(() => document.querySelector('#player').addTextTrack('captions', 'English', 'en'));
  await page.locator('#captions').waitFor(WAIT);
  const shown = () => of(() => document.querySelector('#player').textTracks[0].mode);
  await page.locator('#captions').focus();
  await page.keyboard.press('Enter');
  seen.captions.push(await page.locator('#captions-menu [role=menuitemradio]').allTextContents());
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  seen.captions.push(await shown());
  await page.keyboard.press('c');
  seen.captions.push(await shown());

  // Nobody moves: the picture has the screen for itself, until the focus comes.
  await of(() => document.activeElement.blur());
  await until(() => getComputedStyle(document.querySelector('#controls')).opacity === '0');
  await page.keyboard.press('Tab');
  await until(() => getComputedStyle(document.querySelector('#controls')).opacity === '1');
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

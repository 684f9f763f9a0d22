// The studio page's desk: the level and the switches of the microphone, what is offered, and the layout picker, with somebody else on stage. Takes a
// JSON object of {studio: {url, camera, microphone}}; prints what was seen.

import { closeAll } from './browser.mjs';
import { WAIT, open, says } from './studio.mjs';

const { studio } = JSON.parse(process.argv[2]);

/** How loud the browser takes the microphone to be: 0 to 1. */
const loudness = (page) =>
  page.evaluate(async () => {
    const stats = [...(await window.connections.at(-1).getStats()).values()];
    return stats.find((s) => s.type === 'media-source' && s.kind === 'audio').audioLevel;
  });

/** The middle of the programme's left and right half. */
const halves = (page) =>
  page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
    const context = canvas.getContext('2d');
    context.drawImage(document.querySelector('#player'), 0, 0, 16, 9);
    return [4, 12].map((x) => [...context.getImageData(x, 4, 1, 1).data.slice(0, 3)]);
  });

/** What of the chip beside the status eyes see, but for the time. */
const chip = (page) =>
  page.locator('#elapsed').evaluate((chip) => [...chip.querySelectorAll('span')].filter((part) => part.getBoundingClientRect().width > 1).map((part) => part.textContent.trim()).join());

/** Waits until the programme's halves are alike, or are not. */
async function alike(page, want) {
  const by = Date.now() + WAIT.timeout;
  for (;;) {
    const [left, right] = await halves(page);
    if (left.every((value, i) => Math.abs(value - right[i]) < 40) === want) return;
    if (Date.now() > by) throw new Error(`halves ${left} and ${right}: alike should be ${want}`);
    await page.waitForTimeout(100);
  }
}

/** Presses a button of the picker; what the API answers to that. */
async function press(page, locator) {
  const answered = page.waitForResponse((response) => response.url().endsWith('/layout') && response.request().method() === 'POST');
  await page.locator(locator).click(WAIT);
  return (await answered).json();
}

/** Whose an auth token is. */
function user(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).user_id ?? 'nobody';
}

async function main() {
  const page = await open(studio);
  const level = (check) => page.waitForFunction(check, null, WAIT);
  await level(() => Number(document.querySelector('#level').ariaValueNow) > 20);
  const seen = { rehearsal: await page.locator('#own-words').textContent() };
  await page.locator('#elapsed').waitFor(WAIT);
  seen.chips = [await chip(page)];
  await page.locator('#mute').click();
  await level(() => Number(document.querySelector('#level').ariaValueNow) === 0);
  await page.locator('#mute').click();
  await level(() => Number(document.querySelector('#level').ariaValueNow) > 20);

  await page.locator('#name').fill('Ada & Co');
  const offered = page.waitForRequest((request) => request.url().includes('/whip/') && request.method() === 'POST');
  await page.locator('#go').click();
  const offer = await offered;
  seen.query = new URL(offer.url()).search;
  seen.simulcast = /^a=simulcast:send (\S+)/m.exec(offer.postData())?.[1];
  await says(page, 'You are on air.');
  seen.chips.push(await chip(page));
  await page.locator('#share').waitFor(WAIT);
  seen.lines = await page.evaluate(() => new Set(['mute', 'blank', 'share'].map((id) => document.getElementById(id).getBoundingClientRect().top)).size);
  seen.aloud = (await loudness(page)) > 0.01;
  await page.locator('#mute').click();
  await page.waitForTimeout(1_000);
  seen.muted = await loudness(page);
  await page.locator('#blank').click();
  seen.dark = await page.locator('#dark').isVisible();
  await page.locator('#blank').click();

  await page.waitForFunction(() => document.querySelector('#player').currentTime > 0, null, WAIT);
  seen.programmeIsMuted = await page.evaluate(() => document.querySelector('#player').muted);
  await alike(page, false);
  seen.spotlight = await press(page, '[data-layout=spotlight]');
  await alike(page, true);
  seen.filled = await press(page, '#fill');
  seen.followed = await press(page, '#follow');
  seen.tiles = await press(page, '#large');
  await page.locator('#scenery summary').click();
  seen.named = await press(page, '#named');
  seen.grid = await press(page, '[data-layout=grid]');
  await alike(page, false);
  // Who is on stage, how they arrive, and the large one by a press.
  const row = (name) => page.locator('#people-list button', { hasText: name });
  await row('other').locator('.health', { hasText: 'Picture stands still' }).waitFor(WAIT);
  seen.people = (await page.locator('#people-list .who').allTextContents()).sort();
  seen.viewers = await page.locator('#viewers').textContent();
  seen.focused = await press(page, '#people-list button:has-text("other")');
  seen.large = await row('other').getAttribute('aria-pressed');
  // A screen is a second picture of the same person.
  await page.locator('#share').click(WAIT);
  await row('(you)').locator('.how', { hasText: 'screen' }).waitFor(WAIT);
  seen.sharing = await page.locator('#sharing').textContent();
  await page.locator('#share').click();
  await row('(you)').locator('.how:not(:has-text("screen"))').waitFor(WAIT);
  seen.onAir = await page.locator('#status').textContent();
  seen.pressed = await page.locator('#arrangements [aria-pressed=true]').allTextContents();
  await page.locator('#stop').click();
  seen.programme = await page.locator('#programme').isVisible();
  seen.kept = await page.locator('#name').inputValue();
  // Who comes back after a reload is the same, so that a mute or a pin of theirs holds.
  const entered = page.waitForResponse((response) => response.url().endsWith('/v2/token'));
  await page.reload();
  const { token } = await (await entered).json();
  seen.same = user(token) === user((await offer.headerValue('authorization')).replace('Bearer ', ''));
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

// The pages as axe sees them, in the states in which people meet them. Takes a JSON object of {studio: {url, camera, microphone}, watch, idle: {studio, watch},
// root, token, screenshots}, `idle` being the pages of a room that is not live;
// prints what is wrong.

import { wrong } from './axe.mjs';
import { browser, closeAll } from './browser.mjs';
import { WAIT, open, says } from './studio.mjs';

const { studio, watch, idle, root, token, screenshots } = JSON.parse(process.argv[2]);

async function ofStudio() {
  const page = await open(studio);
  const found = await wrong(page, 'studio-rehearsal', screenshots);
  await page.locator('#go').click();
  await says(page, 'You are on air.');
  await page.waitForFunction(() => document.querySelector('#player').currentTime > 0, null, WAIT);
  await page.locator('#mute').click();
  await page.locator('#people-list [data-level]').nth(1).waitFor(WAIT);
  // Everything open, and something of each said.
  for (const part of ['#scenery', '#mixer']) await page.locator(`${part} summary`).click();
  await page.locator('#third-title').fill('Ada Lovelace');
  await page.locator('#third-subtitle').fill('Analytical engines');
  await page.keyboard.press('Enter');
  await page.locator('#third-now', { hasText: 'Ada' }).waitFor(WAIT);
  await page.locator('#color').fill('#204060');
  await page.locator('#mixer-list button').first().click(WAIT);
  await page.locator('#mixer-list [data-off]').waitFor(WAIT);
  await page.locator('#background').setInputFiles({ name: 'notes.txt', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.locator('#scenery-status', { hasText: 'send PNG' }).waitFor(WAIT);
  found.push(...(await wrong(page, 'studio-air', screenshots)));
  return [page, found];
}

async function ofWatch() {
  const page = await browser([]);
  await page.goto(watch);
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0, null, WAIT);
  // The sound alone, and the menu over it: the picture is not the page's.
  await page.locator('#quality').click();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#player').readyState > 2 && document.querySelector('#player').videoHeight === 0, null, WAIT);
  await page.locator('#quality').click();
  const found = await wrong(page, 'watch-menu', screenshots);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  found.push(...(await wrong(page, 'watch-keys', screenshots)));
  return [page, found];
}

/** Those to whom the pages have to say what keeps them from going on. */
async function ofWhoCannot() {
  const page = await browser([]);
  const found = [];
  const look = async (name, url, id, words) => {
    await page.goto(url);
    await page.locator(id, { hasText: words }).first().waitFor(WAIT);
    found.push(...(await wrong(page, name, screenshots)));
  };
  await page.addInitScript(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))));
  await look('studio-refused', idle.studio, '#status', 'Allow');
  await look('studio-watcher', watch.replace('/watch/', '/studio/'), '#status', 'This link is for watching.');
  await look('studio-wrong', idle.studio.replace(/[^/]*$/, 'aaa-bbbb-ccc'), '#status', 'No room has the code');
  await look('watch-wrong', idle.watch.replace(/[^/]*$/, 'aaa-bbbb-ccc'), '#status', 'No room has the code');
  await look('watch-idle', idle.watch, '#status', 'Nobody is live yet.');
  await look('watch-playing', watch, '#status', 'Live');
  return [page, found];
}

async function ofOperator() {
  const page = await browser([]);
  await page.goto(root);
  await page.locator('#token').waitFor(WAIT);
  const found = await wrong(page, 'operator-asked', screenshots);
  await page.locator('#token').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('#rooms li').first().waitFor(WAIT);
  found.push(...(await wrong(page, 'operator-list', screenshots)));
  return [page, found];
}

try {
  const found = [];
  for (const look of [ofStudio, ofWatch, ofWhoCannot, ofOperator]) {
    const [page, wrongs] = await look();
    found.push(...wrongs);
    await page.context().close();
  }
  console.log(JSON.stringify(found));
} finally {
  await closeAll();
}

// The operator's list: by a token, and open in a demo. Takes a JSON object of {root, token} or of {demo}; prints what was seen.

import { browser, closeAll } from './browser.mjs';

const { root, token, demo } = JSON.parse(process.argv[2]);
const WAIT = { timeout: 30_000 };
const kept = (page) => page.evaluate(() => [sessionStorage.length, localStorage.length]);
const chips = (page) => page.locator('#rooms li').first().locator('.badge, .chip').allTextContents();

async function byToken() {
  const page = await browser([]);
  page.on('dialog', (dialog) => dialog.accept());
  const says = (text) => page.waitForFunction((text) => document.querySelector('#status').textContent.includes(text), text, WAIT);
  const give = async (token) => {
    await page.locator('#token').fill(token);
    await page.keyboard.press('Enter');
  };
  await page.goto(root);
  await give('nonsense');
  await says('does not take this token');
  const seen = { refused: await page.locator('#list').isVisible() };
  await give(token);
  await says('0 rooms');
  await page.locator('#name').fill('evening lecture');
  await page.keyboard.press('Enter');
  await says('1 room, 0 on air');
  const room = page.locator('#rooms li').first();
  seen.created = await page.locator('#created').textContent();
  seen.name = await room.locator('h3').textContent();
  seen.before = await chips(page);
  await room.locator('> button').click();
  await says('1 room, 1 on air');
  await room.locator('.badge').waitFor(WAIT);
  const links = room.locator('.links a');
  seen.links = await links.evaluateAll((all) => all.map((a) => [a.firstChild.textContent, a.pathname.replace(/[a-z]{3}-[a-z]{4}-[a-z]{3}|[0-9a-f]{24}/, 'X')]));
  // It is still there after a reload, in this tab.
  await page.reload();
  await says('1 room, 1 on air');
  await page.locator('#rooms li > button').click();
  await says('1 room, 0 on air');
  seen.after = (await chips(page))[0].replace(/ since.*/, '');
  seen.kept = await kept(page);
  await page.locator('#sign-out').click();
  seen.signedOut = [await page.locator('#list').isVisible(), await page.locator('#rooms li').count(), await kept(page)];
  await page.locator('#code').fill('abc-defg-hij');
  await page.locator('#open button[value=watch]').click();
  await page.waitForURL('**/watch/abc-defg-hij', WAIT);
  return seen;
}

async function openly() {
  const page = await browser([]);
  await page.goto(demo);
  await page.locator('#rooms li[data-live]').waitFor(WAIT);
  return { asked: await page.locator('#token').isVisible() };
}

try {
  console.log(JSON.stringify(demo ? await openly() : await byToken()));
} finally {
  await closeAll();
}

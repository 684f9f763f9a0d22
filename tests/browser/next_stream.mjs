// The watch page over the end of one stream and the beginning of the next: it plays, says that the stream has ended, and plays again.
// Takes a JSON object of {watch: URL, end: {url, token}, start: {url, token}, screenshots}; the test's server is asked to end and to
// start by this script, as an application would. Prints what the page said of itself, and its curtain and offer of sound then.

import { browser, closeAll } from './browser.mjs';

const { watch, end, start, screenshots } = JSON.parse(process.argv[2]);

const status = (page) => page.locator('#status').textContent();

async function ask({ url, token }) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: '{}' });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
}

const playing = (page) =>
  page.waitForFunction(() => !document.querySelector('video').ended && document.querySelector('#status').dataset.state === 'live', null, { timeout: 30_000 });

try {
  const page = await browser([]);
  const look = () => page.evaluate(() => {
    const of = (id) => document.getElementById(id);
    return { curtain: of('curtain').checkVisibility() && of('curtain').textContent, sound: of('sound').checkVisibility(), muted: of('player').muted, controls: of('controls').checkVisibility() };
  });
  await page.goto(watch);
  await playing(page);
  const said = [await status(page)];
  const looks = [await look()];
  await page.screenshot({ path: `${screenshots}/watch-muted.png` });
  await page.locator('#sound').click();
  looks.push(await look());
  await ask(end);
  await page.waitForFunction(() => document.querySelector('#status').textContent.includes('ended'), null, { timeout: 30_000 });
  said.push(await status(page));
  looks.push(await look());
  await page.screenshot({ path: `${screenshots}/watch-ended.png` });
  await ask(start);
  await playing(page);
  const from = await page.evaluate(() => document.querySelector('video').currentTime);
  await page.waitForFunction((from) => document.querySelector('video').currentTime > from + 2, from, { timeout: 30_000 });
  said.push(await status(page));
  looks.push(await look());
  await page.setViewportSize({ width: 390, height: 800 });
  await page.screenshot({ path: `${screenshots}/watch-390.png` });
  console.log(JSON.stringify({ said, looks }));
} finally {
  await closeAll();
}

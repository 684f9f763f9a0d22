// The studio page in two windows of one person, one of them a copy of the other. Takes a JSON object of {studio: {url, camera, microphone}, screenshots};
// prints what was seen.

import { closeAll } from './browser.mjs';
import { WAIT, duplicate, lose, open, says } from './studio.mjs';

const { studio, screenshots } = JSON.parse(process.argv[2]);
const ELSEWHERE = 'You are on stage in another window.';
/** Longer than the page takes what the server says for what was so before. */
const SETTLED_MS = 6_000;

/** How often the page has published. */
function offers(page) {
  const count = { posts: 0 };
  page.on('request', (request) => {
    if (request.url().includes('/whip/') && request.method() === 'POST') count.posts += 1;
  });
  return count;
}

const look = (page) => page.evaluate(() => ['status', 'go'].map((id) => document.getElementById(id).textContent));

/** Nobody sees the page, or somebody does. */
const hide = (page, hidden) => page.evaluate((state) => Object.defineProperty(document, 'visibilityState', { get: () => state, configurable: true }), hidden ? 'hidden' : 'visible');

async function go(page) {
  await page.locator('#go').click(WAIT);
  await says(page, 'You are on air.');
}

async function main() {
  const first = await open(studio);
  const second = await duplicate(first);
  const [ofFirst, ofSecond] = [offers(first), offers(second)];
  const seen = {};
  await go(first);
  await first.waitForTimeout(SETTLED_MS);
  // The copy takes over. The other one, at which nobody looks, hears of it when its connection is lost, and stays away.
  await hide(first, true);
  await go(second);
  await second.waitForTimeout(1_500);
  await lose(first);
  await says(first, ELSEWHERE);
  seen.first = await look(first);
  await first.screenshot({ path: `${screenshots}/studio-elsewhere.png` });
  await second.waitForTimeout(SETTLED_MS);
  seen.second = [await look(second), ofFirst.posts, ofSecond.posts];
  // Taken over by a button; the copy sees it.
  await hide(first, false);
  await go(first);
  await says(second, ELSEWHERE);
  seen.back = [await look(first), await look(second), ofFirst.posts, ofSecond.posts];
  // Nobody is on stage any more: there is nothing to take over.
  await first.locator('#stop').click(WAIT);
  await says(second, 'You are not on air.');
  seen.free = await look(second);

  // A session of its own that lingers is no other window.
  await go(second);
  await second.waitForTimeout(SETTLED_MS);
  const lingering = [];
  await second.route('**/whip/**', (route) => {
    if (route.request().method() !== 'DELETE') return route.continue();
    lingering.push('DELETE');
    return route.abort();
  });
  await second.evaluate(() => (window.connections.at(-1).close = () => {}));
  await lose(second);
  await says(second, 'The connection was lost.');
  await says(second, 'You are on air.');
  seen.lingering = [lingering.length, ofSecond.posts];
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

// The studio page when the network is against it: what its buttons do while an attempt is under way, what it does when it is told to
// come back later or loses its connection, and the end of the stream. Takes a JSON object of {studio: {url, camera, microphone}, admin,
// screenshots}; prints what was seen.

import { closeAll } from './browser.mjs';
import { WAIT, lose, open, says } from './studio.mjs';

const { studio, admin, screenshots } = JSON.parse(process.argv[2]);

/** A session that is not ended by the page ends by itself, but not so soon. */
const ENDED = { timeout: 5_000 };

/** The statuses of answers to WHIP's POSTs, and the way to hold, refuse or pass the next ones. */
async function tollgate(page) {
  const gate = { answered: [], posts: [] };
  await page.route('**/whip/**', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    const rule = gate.posts.shift() ?? {};
    rule.arrived?.();
    await rule.held;
    if (rule.busy) {
      gate.answered.push(503);
      return route.fulfill({ status: 503, headers: { 'retry-after': '2' }, contentType: 'application/problem+json', body: '{"detail":"server: busy; try again."}' });
    }
    const response = await route.fetch();
    gate.answered.push(response.status());
    await route.fulfill({ response, body: rule.garbled ? 'no SDP' : await response.body() });
  });
  return gate;
}

/** The next POST is held once it has arrived. Gives the wait for that, and what lets it go. */
function hold(gate) {
  let release, arrived;
  const held = new Promise((done) => (release = done));
  const arrival = new Promise((done) => (arrived = done));
  gate.posts.push({ held, arrived });
  return { arrival, release };
}

async function until(what, { timeout }) {
  const by = Date.now() + timeout;
  while (!(await what())) {
    if (Date.now() > by) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** An answer has come, and the session that it is about is no more. */
async function beginsAndEnds(gate) {
  await until(() => gate.answered.length > 0, WAIT);
  await until(async () => (await (await fetch(`${admin}/metrics`)).text()).includes('footlight_publishers 0\n'), ENDED);
  return gate.answered.splice(0);
}

async function main() {
  const page = await open(studio);
  const gate = await tollgate(page);
  const seen = { mayEndAtOnce: await page.locator('#end').isVisible() };
  // Stop while the answer is on its way: the session that comes with it is ended, and nobody is on air.
  const early = hold(gate);
  await page.locator('#go').click();
  await early.arrival;
  await page.locator('#stop:not([disabled])').click(WAIT);
  await says(page, 'You are not on air.');
  early.release();
  seen.stoppedEarly = [await beginsAndEnds(gate), await page.locator('#status').textContent()];

  // An answer that the browser does not take: its session is ended too.
  gate.posts.push({ garbled: true });
  await page.locator('#go').click();
  await page.locator('#status[data-state="trouble"]').waitFor(WAIT);
  seen.garbled = await beginsAndEnds(gate);

  // Busy: it comes back after Retry-After, and then it is on air.
  gate.posts.push({ busy: true });
  await page.locator('#go').click();
  await says(page, 'Trying again in 2 s');
  seen.busy = await page.locator('#status').textContent();
  await says(page, 'You are on air.');
  await page.screenshot({ path: `${screenshots}/studio-1280.png` });
  await page.setViewportSize({ width: 390, height: 800 });
  await page.screenshot({ path: `${screenshots}/studio-390.png` });

  // An attempt that never comes to anything is given up, and the next one is on air.
  await page.evaluate(() => (window.stuck = true));
  await lose(page);
  await says(page, 'The connection was lost.');
  await says(page, 'The connection could not be made');
  await says(page, 'You are on air.');

  // The connection is lost: it comes back by itself, and again.
  for (let time = 0; time < 2; time += 1) {
    await lose(page);
    await says(page, 'The connection was lost.');
    await says(page, 'You are on air.');
  }

  // The camera is unplugged: the page says so, and goes on saying so when the connection has been lost and is back. Go opens it again.
  await page.evaluate(() => {
    const [track] = document.querySelector('#preview').srcObject.getVideoTracks();
    Object.defineProperty(track, 'readyState', { get: () => 'ended' });
    track.dispatchEvent(new Event('ended'));
  });
  await says(page, 'The camera sends nothing any more');
  await lose(page);
  await says(page, 'The connection was lost.');
  await says(page, 'The camera sends nothing any more');
  seen.unplugged = await page.locator('#status').textContent();
  await page.locator('#stop').click(WAIT);
  await says(page, 'Plug it in or choose another.');
  await page.locator('#go').click();
  await says(page, 'You are on air.');

  // Stop in the middle of coming back. What is held is let go, and nothing is on air.
  const late = hold(gate);
  await lose(page);
  await late.arrival;
  await page.locator('#stop').click(WAIT);
  gate.answered.length = 0;
  late.release();
  seen.stoppedLate = [await beginsAndEnds(gate), await page.locator('#status').textContent()];

  // The end of the stream, for everybody.
  page.on('dialog', (dialog) => dialog.accept());
  await page.route('**/stop', (route) => route.abort(), { times: 1 });
  await page.locator('#end').click(WAIT);
  await says(page, 'Whether the stream has ended is not known');
  seen.endAgain = await page.locator('#end').isEnabled();
  await page.locator('#end').click(WAIT);
  await says(page, 'The stream has ended.');
  seen.goAgain = await page.locator('#go').isEnabled();
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

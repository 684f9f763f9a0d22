// The watch page where it cannot play: by a code that is none, in a browser without the codecs, in one whose decoder takes nothing, while the server says nothing at all, and while
// what it says makes no sense. Takes a JSON object of {watch: URL, screenshots}; prints what the page said, and how it asked.

import { browser, closeAll } from './browser.mjs';

const { watch, screenshots } = JSON.parse(process.argv[2]);
const WAIT = { timeout: 30_000 };
/** What a page that has given up is watched for: more than two of its pauses. */
const QUIET_MS = 5_000;

const says = (page, text) => page.waitForFunction((text) => document.querySelector('#status').textContent.includes(text), text, WAIT);

/** When the page itself has asked for the room's playlist; the player asks, too, in its own way. */
function asked(page) {
  const times = [];
  page.on('request', (request) => request.resourceType() === 'fetch' && request.url().endsWith('/master.m3u8') && times.push(Date.now()));
  return times;
}

/** A browser where `prepare` was run before the page; whether it says that it cannot play, and how often it asks after that. */
async function givesUp(prepare, screenshot) {
  const page = await browser([]);
  await page.addInitScript(prepare);
  const times = asked(page);
  await page.goto(watch);
  await says(page, 'This browser cannot play');
  const before = times.length;
  await page.waitForTimeout(QUIET_MS);
  if (screenshot) await page.screenshot({ path: `${screenshots}/${screenshot}` });
  return { status: await page.locator('#status').textContent(), after: times.length - before };
}

/** A server that takes a first question and says nothing: what the page says then, and whether it plays when its next one is answered. */
async function isAnsweredAtLast() {
  const page = await browser([]);
  let questions = 0;
  await page.route(/master\.m3u8/, (route) => (questions++ === 0 ? undefined : route.continue()));
  await page.goto(watch);
  await says(page, 'The server does not answer.');
  // The element's clock is set before it plays.
  await says(page, 'Live');
  return { askedAgain: questions > 1, plays: await page.evaluate(() => document.querySelector('#player').currentTime > 0) };
}

/** A code that is none: told once, and another one leads on. */
async function asksForAnother() {
  const page = await browser([]);
  await page.goto(watch.replace(/[^/]*$/, 'kkk-mmmm-fff'));
  await says(page, 'No room has the code');
  await page.screenshot({ path: `${screenshots}/watch-wrong-code.png` });
  const told = await page.getByText('No room has the code').filter({ visible: true }).count();
  const code = page.locator('#code');
  await code.fill('');
  // Its letters are keys of the player elsewhere.
  await code.pressSequentially('kmf');
  const typed = await code.inputValue();
  await code.fill(new URL(watch).pathname.split('/').at(-1));
  await page.keyboard.press('Enter');
  await page.waitForURL(watch, WAIT);
  return { told, typed };
}

async function main() {
  const seen = { wrong: await asksForAnother() };
  seen.noCodec = await givesUp(() => {
    const supported = MediaSource.isTypeSupported;
    MediaSource.isTypeSupported = (type) => !type.includes('avc1') && supported.call(MediaSource, type);
  }, 'watch-refused.png');
  seen.noMse = await givesUp(() => {
    MediaSource.isTypeSupported = () => false;
    HTMLMediaElement.prototype.canPlayType = () => '';
  });
  seen.decoder = await givesUp(() => {
    MediaSource.prototype.addSourceBuffer = () => {
      throw new DOMException('no decoder', 'NotSupportedError');
    };
  });

  seen.unanswered = await isAnsweredAtLast();

  // Media playlists that are none: the player gives up at once, and the page asks again at its pace.
  const page = await browser([]);
  const times = asked(page);
  await page.route(/\/hls\/.*(?<!master)\.m3u8/, (route) => route.fulfill({ contentType: 'application/vnd.apple.mpegurl', body: 'nonsense' }));
  await page.goto(watch);
  await says(page, 'Connection lost.');
  const by = Date.now() + WAIT.timeout;
  while (times.length < 4 && Date.now() < by) await page.waitForTimeout(100);
  seen.pauses = times.slice(1).map((time, i) => time - times[i]);
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

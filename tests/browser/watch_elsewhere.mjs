// The watch page's buttons for other screens, in browsers that have the Remote Playback API, Safari's AirPlay or neither. Takes a JSON object of
// {watch: URL}; prints what was seen in each.

import { browser, closeAll } from './browser.mjs';

const { watch } = JSON.parse(process.argv[2]);
const WAIT = { timeout: 30_000 };

/** What each browser has, said before the page's own scripts run. No headless browser knows of a screen, so theirs are said to be there. */
const BROWSERS = {
  own: () => {},
  none: () => delete HTMLMediaElement.prototype.remote,
  refusing: () => (RemotePlayback.prototype.watchAvailability = () => Promise.reject(new DOMException('', 'NotSupportedError'))),
  remote: () => {
    window.prompts = 0;
    RemotePlayback.prototype.watchAvailability = (tell) => {
      window.tell = tell;
      return Promise.resolve(1);
    };
    RemotePlayback.prototype.prompt = () => Promise.resolve((window.prompts += 1));
  },
  airplay: () => {
    window.prompts = 0;
    HTMLVideoElement.prototype.webkitShowPlaybackTargetPicker = () => (window.prompts += 1);
    // An iPhone has no other media source, and hls.js forbids other screens to have it open.
    window.ManagedMediaSource = class extends MediaSource {};
    delete window.MediaSource;
    HTMLMediaElement.prototype.canPlayType = () => 'maybe';
    window.tell = (available) => {
      const event = Object.assign(new Event('webkitplaybacktargetavailabilitychanged'), { availability: available ? 'available' : 'not-available' });
      document.querySelector('#player').dispatchEvent(event);
    };
  },
};

async function look(context, name) {
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.addInitScript(BROWSERS[name]);
  await page.goto(watch);
  await page.waitForFunction(() => document.querySelector('#player').currentTime > 0, null, WAIT);
  const buttons = async () => {
    await page.locator('#stage').hover();
    return { cast: await page.locator('#cast').isVisible(), airplay: await page.locator('#airplay').isVisible() };
  };
  const seen = { errors, before: await buttons() };
  if (await page.evaluate(() => 'tell' in window)) {
    await page.evaluate(() => window.tell(true));
    seen.found = await buttons();
    await page.locator(name === 'airplay' ? '#airplay' : '#cast').click(WAIT);
    seen.prompts = await page.evaluate(() => window.prompts);
    await page.evaluate(() => window.tell(false));
    seen.lost = await buttons();
  }
  // What a screen that plays for itself is given.
  seen.sent = await page.evaluate(() => [...document.querySelectorAll('#player source')].map(({ src }) => (src.startsWith('blob:') ? 'blob' : new URL(src).pathname)));
  seen.may = await page.evaluate(() => !document.querySelector('#player').disableRemotePlayback);
  if (name === 'airplay') {
    // While a screen plays, it is handed the playlist; then this page plays on.
    const wireless = async (is, source) => {
      await page.evaluate((is) => {
        const video = document.querySelector('#player');
        video.webkitCurrentPlaybackTargetIsWireless = is;
        video.dispatchEvent(new Event('webkitcurrentplaybacktargetiswirelesschanged'));
      }, is);
      await page.waitForFunction((source) => document.querySelector('#player').currentSrc.includes(source), source, WAIT);
    };
    await wireless(true, '/live/room/master.m3u8');
    await wireless(false, 'blob:');
    await page.waitForFunction(() => document.querySelector('#player').currentTime > 0, null, WAIT);
    seen.back = true;
  }
  await page.close();
  return seen;
}

try {
  const seen = {};
  const context = (await browser([])).context();
  for (const name of Object.keys(BROWSERS)) seen[name] = await look(context, name);
  console.log(JSON.stringify(seen));
} finally {
  await closeAll();
}

// The studio page where it cannot begin: by a code that is none, by a viewer's, without a camera, and where browsers give no camera. Takes a JSON
// object of {wrong, viewer, studio: URLs, screenshots}; prints what each page said and let be pressed.

import { browser, closeAll } from './browser.mjs';
import { WAIT } from './studio.mjs';

const { wrong, viewer, studio, screenshots } = JSON.parse(process.argv[2]);

/** What the page says where `prepare` was run before it, and whether Go does anything. */
async function begin(url, prepare, screenshot) {
  const page = await browser([]);
  await page.addInitScript(prepare);
  await page.goto(url);
  await page.waitForFunction(() => !document.querySelector('#status').textContent.includes('Asking'), null, WAIT);
  if (screenshot) await page.screenshot({ path: `${screenshots}/${screenshot}` });
  // As a stray Enter does.
  await page.evaluate(() => document.querySelector('#controls').requestSubmit());
  await page.waitForTimeout(500);
  const seen = {
    status: await page.locator('#status').textContent(),
    mayGo: await page.locator('#go').isEnabled(),
    mayChoose: await page.locator('select:visible').count(),
    stayed: page.url() === url,
  };
  const link = page.locator('#watch:visible');
  if (await link.count()) seen.link = [await link.textContent(), await link.getAttribute('href')];
  return seen;
}

const refuse = () => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
};
const insecure = () => Object.defineProperty(navigator, 'mediaDevices', { value: undefined });

try {
  console.log(
    JSON.stringify({
      wrong: await begin(wrong, () => {}, 'studio-wrong-code.png'),
      viewer: await begin(viewer, () => {}, 'studio-viewer.png'),
      refused: await begin(studio, refuse, 'studio-refused.png'),
      insecure: await begin(studio, insecure),
    }),
  );
} finally {
  await closeAll();
}

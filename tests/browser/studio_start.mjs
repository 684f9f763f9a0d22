// The studio page where it cannot begin: by a code that is none, by a viewer's, without camera and microphone, and where browsers give none; and where it
// begins with one of the two. Takes a JSON object of {wrong, viewer, studio: URLs, screenshots}; prints what each page said and let be pressed.

import { browser, closeAll } from './browser.mjs';
import { WAIT, says } from './studio.mjs';

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

/** Kinds of devices that cannot be had, each with the reason. Both at once cannot be had for the reason of the first. */
const refuse = (reasons) => `{
  window.reasons = ${JSON.stringify(reasons)};
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (asked) => {
    const reason = Object.keys(window.reasons).find((kind) => asked[kind]);
    if (reason) throw new DOMException('no', window.reasons[reason]);
    return ask(asked);
  };
}`;

/** What the page says and shows, and the server sees, of who goes on stage without what `reasons` names, and then has it. */
async function alone(reasons, screenshot) {
  const page = await browser([]);
  await page.addInitScript(refuse(reasons));
  const entered = page.waitForResponse((response) => response.url().endsWith('/v2/token'));
  await page.goto(studio);
  const { token } = await (await entered).json();
  await page.locator('#go:not([disabled])').waitFor(WAIT);
  const parts = async () => (await page.locator(':is(#mute, #blank, #dark, #meter, #hearing, #retry):visible').evaluateAll((all) => all.map(({ id }) => id))).sort();
  const seen = { rehearsal: await page.locator('#status').textContent(), parts: await parts() };
  await page.screenshot({ path: `${screenshots}/${screenshot}` });
  await page.locator('#go').click();
  await says(page, 'You are on air.');
  seen.air = await page.locator('#status').textContent();
  // The page to watch on, for the studio's owner to send to others.
  const watch = page.locator('#watch');
  // What is not granted here is taken away.
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write', 'camera', 'microphone']);
  await page.locator('#copy').click();
  await page.locator('#copy', { hasText: 'Copied' }).waitFor(WAIT);
  seen.invites = [await watch.textContent(), await watch.getAttribute('href'), await page.evaluate(() => navigator.clipboard.readText())];
  const sent = page.locator('#people-list .how', { hasText: /^(camera|microphone)/ });
  await sent.waitFor(WAIT);
  const { peers } = await (await fetch(new URL('/v2/active-rooms/room/peers', studio), { headers: { authorization: `Bearer ${token}` } })).json();
  seen.sent = Object.values(peers).map((peer) => Object.values(peer.tracks).map(({ type, state }) => [type, state]));
  await page.locator('#stop').click();
  // It is plugged in, let go or allowed.
  await page.evaluate(() => (window.reasons = {}));
  await page.locator('#retry').click(WAIT);
  await page.waitForFunction(() => document.querySelector('#status').textContent === 'You are not on air.', null, WAIT);
  seen.whole = await parts();
  await page.context().close();
  return seen;
}
const insecure = () => Object.defineProperty(navigator, 'mediaDevices', { value: undefined });

try {
  console.log(
    JSON.stringify({
      wrong: await begin(wrong, () => {}, 'studio-wrong-code.png'),
      viewer: await begin(viewer, () => {}, 'studio-viewer.png'),
      refused: await begin(studio, refuse({ video: 'NotAllowedError', audio: 'NotAllowedError' }), 'studio-refused.png'),
      neither: await begin(studio, refuse({ video: 'NotFoundError', audio: 'NotReadableError' })),
      insecure: await begin(studio, insecure),
      voice: await alone({ video: 'NotFoundError' }, 'studio-voice.png'),
      blocked: await alone({ video: 'NotAllowedError' }, 'studio-blocked.png'),
      picture: await alone({ audio: 'NotReadableError' }, 'studio-picture.png'),
    }),
  );
} finally {
  await closeAll();
}

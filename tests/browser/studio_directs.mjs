// The studio page's picture and sound, beside another director. Takes a JSON object of {studio: {url, camera, microphone}, stream, token, root,
// background, logo}, the last two paths of pictures; prints what was seen.

import { closeAll } from './browser.mjs';
import { WAIT, open, says } from './studio.mjs';

const { studio, stream, token, root, background, logo } = JSON.parse(process.argv[2]);

/** The other director: what an application sends. */
async function direct(what, body) {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${root}/v2/live-streams/${stream}/${what}`, body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers });
  if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Does something; what the API then says of `what`. */
async function after(page, what, act) {
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname.endsWith(`/${what}`) && response.request().method() === 'POST', WAIT);
  await act();
  return (await answered).json();
}

/** Waits until a place of the programme, 320 by 180, is about this red, green and blue. */
async function shows(page, [x, y], want) {
  const check = ([x, y, want]) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const context = canvas.getContext('2d');
    context.drawImage(document.querySelector('#player'), 0, 0, 320, 180);
    return [...context.getImageData(x, y, 1, 1).data.slice(0, 3)].every((value, i) => Math.abs(value - want[i]) < 50);
  };
  await page.waitForFunction(check, [x, y, want], { ...WAIT, polling: 100 });
}

/** Drags a slider over these values while the first request that follows is held; how many had been sent by then, and what each that was sent said of `user`. */
async function drag(page, slider, values, user) {
  const sent = [];
  let [release, arrived] = [];
  const held = new Promise((done) => (release = done));
  const arrival = new Promise((done) => (arrived = done));
  await page.route('**/mix', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    sent.push(route.request().postDataJSON().voices[user].gain_db);
    arrived();
    await held;
    await route.continue();
  });
  const move = (value) =>
    slider.evaluate((input, value) => {
      input.value = value;
      input.dispatchEvent(new Event('input'));
    }, value);
  await move(values[0]);
  await arrival;
  for (const value of values.slice(1)) await move(value);
  // In which any other would have come.
  await page.waitForTimeout(500);
  const before = sent.length;
  release();
  const by = Date.now() + WAIT.timeout;
  while ((await direct('mix')).voices[user]?.gain_db !== values.at(-1) && Date.now() < by) await page.waitForTimeout(50);
  await page.unroute('**/mix');
  return { before, sent, shown: Number(await slider.inputValue()) };
}

const BEHIND = [150, 20];
const LOGO = [298, 17];

async function main() {
  const page = await open(studio);
  const text = (id, words) => page.locator(id, { hasText: words }).waitFor(WAIT);
  const layout = (act) => after(page, 'layout', act);
  await page.locator('#go').click();
  await says(page, 'You are on air.');
  await page.waitForFunction(() => document.querySelector('#player').currentTime > 0, null, WAIT);
  const seen = { closed: await page.locator('#third-title').isVisible() };

  seen.pinned = (await layout(() => page.locator('#pinned').selectOption('other'))).pinned;
  seen.unpinned = (await layout(() => page.locator('#people-list button:has-text("other")').click())).pinned;
  seen.nobodyPinned = await page.locator('#pinned').inputValue();
  await layout(() => page.locator('[data-layout=grid]').click());
  await page.locator('#scenery summary').press('Enter');
  seen.named = (await layout(() => page.locator('#named').press('Space'))).show_names;
  await page.locator('#third-title').fill('Ada');
  await page.locator('#third-subtitle').fill('Analyst');
  seen.third = (await layout(() => page.keyboard.press('Enter'))).lower_third;
  await text('#third-now', 'Shown: Ada, Analyst');
  seen.color = (await layout(() => page.locator('#color').fill('#d02020'))).background;

  // Another director changes what somebody is writing here, and the arrangement: it is told, and what is being written stays.
  await page.locator('#third-title').fill('Half wri');
  const before = await direct('layout');
  await direct('layout', { ...before, type: 'spotlight', lower_third: { title: 'Grace' } });
  await text('#third-now', 'Shown: Grace');
  seen.writing = await page.locator('#third-title').inputValue();
  seen.others = await page.locator('#arrangements [aria-pressed=true]').textContent();
  // Something that this page has not heard of yet is not undone by what is changed here.
  await direct('layout', { ...before, type: 'grid', background: { color: '#2020d0' }, lower_third: { title: 'Grace' } });
  seen.stale = await page.locator('#color').inputValue();
  const filled = await layout(() => page.locator('#fill').press('Space'));
  seen.merged = [filled.type, filled.scaling, filled.background.color, filled.lower_third.title];
  await page.waitForFunction(() => document.querySelector('#color').value === '#2020d0', null, WAIT);
  // What is refused is there to be mended.
  await page.locator('#third-title').fill('é'.repeat(128));
  await page.keyboard.press('Enter');
  await text('#scenery-status', 'is 256 bytes long; give at most 128');
  seen.refused = [(await page.locator('#third-title').inputValue()).length, (await direct('layout')).lower_third.title];
  seen.gone = (await layout(() => page.locator('#third-hide').click())).lower_third;

  await page.locator('#background').setInputFiles(background);
  await text('#scenery-status', 'The background is shown: green.png.');
  seen.without = await page.locator('#logo-none').isDisabled();
  await page.locator('#logo').setInputFiles(logo);
  await text('#scenery-status', 'The logo is shown: white.png.');
  seen.with = await page.locator('#logo-none').isEnabled();
  await shows(page, LOGO, [255, 255, 255]);
  await shows(page, BEHIND, [0, 128, 0]);
  // Another director moves it, and then this one, without its file.
  await direct('logo/corner', { corner: 'top-left' });
  await page.waitForFunction(() => document.querySelector('#logo-corner').value === 'top-left', null, WAIT);
  await page.locator('#logo-corner').selectOption('bottom-left');
  await text('#scenery-status', 'The logo is in another corner.');
  seen.pictures = (await direct('layout')).pictures;
  await page.locator('#background-none').click();
  await shows(page, LOGO, [32, 32, 208]);
  await shows(page, BEHIND, [32, 32, 208]);
  seen.bare = (await layout(() => page.locator('#color-none').click())).background;
  seen.tooLarge = [];
  for (const bytes of [(4 << 20) + 1, 16 << 20]) {
    await page.locator('#scenery-status').evaluate((status) => (status.textContent = ''));
    await page.locator('#background').setInputFiles({ name: 'large.png', mimeType: 'image/png', buffer: Buffer.alloc(bytes) });
    await page.waitForFunction(() => !['', 'The background is on its way…'].includes(document.querySelector('#scenery-status').textContent), null, WAIT);
    seen.tooLarge.push(await page.locator('#scenery-status').textContent());
  }

  await page.locator('#mixer summary').press('Enter');
  const fader = page.locator('.fader', { hasText: 'other' });
  const slider = fader.getByRole('slider', { name: 'Loudness of other' });
  const mute = fader.getByRole('button', { name: /ute other$/ });
  seen.quieter = (await after(page, 'mix', () => slider.press('ArrowLeft'))).voices;
  seen.muted = (await after(page, 'mix', () => mute.press('Space'))).voices;
  seen.said = [await slider.getAttribute('aria-valuetext'), await mute.getAttribute('aria-label')];
  await direct('mix', { voices: { other: { gain_db: -6.5 }, away: { muted: true } } });
  await fader.locator('.db', { hasText: '−6.5 dB' }).waitFor(WAIT);
  seen.faders = await page.locator('.fader .who').allTextContents();
  seen.dragged = await drag(page, slider, [-7, -8, -9, -10, -11, -12], 'other');
  // As loud as they come: not named any more; who is named by another director is.
  await slider.evaluate((input) => (input.value = 0));
  seen.asTheyCome = (await after(page, 'mix', () => slider.dispatchEvent('input'))).voices;
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

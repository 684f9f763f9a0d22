// Two people on stage, of whom one ends the stream: what the other's page says, then and after it has lost its connection and come
// back. Takes a JSON object of {studio: {url, camera, microphone}, screenshots}; prints what was seen.

import { closeAll } from './browser.mjs';
import { WAIT, lose, open, says } from './studio.mjs';

const { studio, screenshots } = JSON.parse(process.argv[2]);

const status = (page) => page.locator('#status').textContent();

async function main() {
  const [owner, other] = [await open(studio), await open(studio)];
  for (const page of [owner, other]) {
    await page.locator('#go').click();
    await says(page, 'You are on air.');
  }
  const seen = {};
  owner.on('dialog', (dialog) => {
    seen.asked = dialog.message();
    void dialog.accept();
  });
  await owner.locator('#end').click(WAIT);
  await says(owner, 'The stream has ended.');
  await says(other, 'the stream has ended');
  seen.told = await status(other);
  seen.mayEndIt = await other.locator('#end').isVisible();
  await other.screenshot({ path: `${screenshots}/studio-ended.png` });
  await lose(other);
  await says(other, 'The connection was lost.');
  await says(other, 'You are on');
  seen.back = await status(other);
  console.log(JSON.stringify(seen));
}

try {
  await main();
} finally {
  await closeAll();
}

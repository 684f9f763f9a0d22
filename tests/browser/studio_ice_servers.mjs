// The studio page at a server that recommends ICE servers: which ones its connection has, first as it should be, then where the server does not say.
// Takes a JSON object of {studio: {url, camera, microphone}}; prints them.

import { closeAll } from './browser.mjs';
import { WAIT, open, says } from './studio.mjs';

const { studio } = JSON.parse(process.argv[2]);

async function onAir(page) {
  await page.locator('#go').click(WAIT);
  await says(page, 'You are on air.');
  const servers = await page.evaluate(() => window.connections.at(-1).getConfiguration().iceServers);
  await page.locator('#stop').click(WAIT);
  return servers.map(({ urls, username, credential }) => [urls, username, credential].flat());
}

async function main() {
  const page = await open(studio);
  const told = await onAir(page);
  await page.route('**/whip/**', (route) => (route.request().method() === 'OPTIONS' ? route.abort() : route.continue()));
  console.log(JSON.stringify({ told, untold: await onAir(page) }));
}

try {
  await main();
} finally {
  await closeAll();
}

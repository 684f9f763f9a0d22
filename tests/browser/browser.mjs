// Headless Chromiums of Debian's package, each with a profile of its own that is gone afterwards.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--autoplay-policy=no-user-gesture-required',
];

const folders = [];
const browsers = [];

/** A page in a Chromium of its own. Its errors go to standard error. */
export async function browser(flags) {
  const folder = mkdtempSync(join(tmpdir(), 'footlight-browser-'));
  folders.push(folder);
  const options = { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...flags], headless: true };
  const context = await chromium.launchPersistentContext(folder, { ...options, viewport: { width: 1280, height: 800 } });
  browsers.push(context);
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && console.error(`console: ${message.text()}`));
  return page;
}

/** What a page publishes takes the way through a relay: both are ports, the server's and the relay's. */
export function sendThrough(page, { server, relay }) {
  return page.route('**/whip/**', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll(` ${server} typ host`, ` ${relay} typ host`);
    await route.fulfill({ response, body });
  });
}

export async function closeAll() {
  for (const context of browsers) await context.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

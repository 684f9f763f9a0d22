// How long it takes from the click on a watch page's link to the first picture, each time in a browser profile that has seen nothing yet. Takes a JSON
// object of {watch: URL, loads, network?: {latency_ms, down_kbps}}, as of a running demo; prints milliseconds.

import { chromium } from 'playwright-core';

const { watch, loads, network } = JSON.parse(process.argv[2]);
/** Between loads, so that they begin all over a segment. */
const PAUSE_MS = 137;

async function first(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  if (network) {
    const devtools = await context.newCDPSession(page);
    const [latency, throughput] = [network.latency_ms, (network.down_kbps * 1_000) / 8];
    await devtools.send('Network.enable');
    await devtools.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: throughput, uploadThroughput: throughput });
  }
  await page.addInitScript(() => {
    window.first = new Promise((seen) => {
      document.addEventListener('DOMContentLoaded', () => document.querySelector('video').requestVideoFrameCallback(() => seen(performance.now())));
    });
  });
  await page.goto(watch, { waitUntil: 'commit' });
  const ms = await page.evaluate(() => window.first);
  await context.close();
  await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  return Math.round(ms);
}

const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--autoplay-policy=no-user-gesture-required'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args, headless: true });
try {
  const all = [];
  for (let i = 0; i < loads; i += 1) all.push(await first(browser));
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.ceil(share * loads) - 1];
  console.log(JSON.stringify({ p50: at(0.5), p95: at(0.95), all }));
} finally {
  await browser.close();
}

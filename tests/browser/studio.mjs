// The studio page in a Chromium of its own, and what the tests of it share.

import { browser } from './browser.mjs';

export const WAIT = { timeout: 30_000 };

/** The page of {url, camera, microphone}, before Go. Its peer connections are in `connections`; what it sets `stuck` for never comes about. */
export async function open({ url, camera, microphone }) {
  const page = await browser([`--use-file-for-fake-video-capture=${camera}`, `--use-file-for-fake-audio-capture=${microphone}`]);
  return rehearse(page, url);
}

/** A second window on the same page, by the same person, as "Duplicate tab" makes it. */
export async function duplicate(page) {
  const kept = await page.evaluate(() => ({ ...sessionStorage }));
  const copy = await page.context().newPage();
  await copy.addInitScript((kept) => Object.assign(sessionStorage, kept), kept);
  return rehearse(copy, page.url());
}

async function rehearse(page, url) {
  await page.addInitScript(() => {
    window.connections = [];
    window.RTCPeerConnection = class extends window.RTCPeerConnection {
      constructor(...how) {
        super(...how);
        window.connections.push(this);
      }
      // A handshake that makes no headway looks like this: no state ever follows.
      async setRemoteDescription(answer) {
        if (window.stuck) window.stuck = false;
        else await super.setRemoteDescription(answer);
      }
    };
  });
  await page.goto(url);
  await page.locator('#go:not([disabled])').waitFor(WAIT);
  return page;
}

/** Waits until the page's status has this text in it. */
export const says = (page, text) => page.waitForFunction((text) => document.querySelector('#status').textContent.includes(text), text, WAIT);

/** The connection is lost: what a browser says when no check has been answered for half a minute. */
export const lose = (page) =>
  page.evaluate(() => {
    const connection = window.connections.at(-1);
    Object.defineProperty(connection, 'connectionState', { get: () => 'failed' });
    connection.dispatchEvent(new Event('connectionstatechange'));
  });

// A viewer with hls.js at its defaults but for what the caller sets, who reads each picture's number (harness/clips.rs, `counted`).
// Prints one JSON object: what was seen, as [milliseconds since the Unix epoch, number], and what went wrong.

import { readFileSync } from 'node:fs';
import { browser, closeAll } from './browser.mjs';

const [playlist, hlsFile, settings, seconds, cells, cellWidth, cellHeight] = process.argv.slice(2);

async function main() {
  const page = await browser([]);
  await page.setContent('<video muted autoplay playsinline width="640" height="360"></video>');
  await page.addScriptTag({ content: readFileSync(hlsFile, 'utf8') });
  const seen = await page.evaluate(watch, {
    playlist,
    settings: JSON.parse(settings),
    ms: Number(seconds) * 1_000,
    cells: Number(cells),
    cell: { width: Number(cellWidth), height: Number(cellHeight) },
  });
  console.log(JSON.stringify(seen));
}

/** Runs in the page. */
function watch({ playlist, settings, ms, cells, cell }) {
  const video = document.querySelector('video');
  const canvas = Object.assign(document.createElement('canvas'), { width: cells * 4, height: 8 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const seen = [];
  const errors = [];
  let stalls = 0;
  let unread = 0;
  const read = () => {
    context.drawImage(video, 0, 0, cells * cell.width, 2 * cell.height, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const white = (bit, y) => data[4 * (y * canvas.width + bit * 4 + 2)] > 127;
    let number = 0;
    for (let bit = 0; bit < cells; bit += 1) {
      if (white(bit, 2) === white(bit, 6)) return null;
      if (white(bit, 2)) number += 2 ** bit;
    }
    return number;
  };
  const each = () => {
    const at = performance.timeOrigin + performance.now();
    const number = read();
    if (number === null) unread += 1;
    else seen.push([at, number]);
    video.requestVideoFrameCallback(each);
  };
  video.requestVideoFrameCallback(each);
  video.addEventListener('waiting', () => (stalls += video.currentTime > 0 ? 1 : 0));
  const hls = new Hls(settings);
  const began = performance.now();
  const since = () => ((performance.now() - began) / 1_000).toFixed(1);
  hls.on(Hls.Events.ERROR, (_, { details, url }) => errors.push(`${details} after ${since()} s: ${url}`));
  hls.loadSource(playlist);
  hls.attachMedia(video);
  return new Promise((done) => setTimeout(() => done({ seen, unread, stalls, errors }), ms));
}

try {
  await main();
} finally {
  await closeAll();
}

// Other people's players, each in a Chromium of its own, play a live ladder and change rungs when they are told to by their API; Chromium's own player has
// none, and is given a faster or slower line. Takes a JSON object of {players: [name], playlist, seconds, visits: [{height, bandwidth_bps, pause_ms}]}:
// heights to change to in turn, over and over, each so long after the one before was seen, for so many seconds, and one at least. Prints a JSON object of
// what each player showed, whose meaning is for the test that runs this to judge.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { browser, closeAll } from './browser.mjs';

const { players, playlist, seconds, visits } = JSON.parse(process.argv[2]);
/** A rung is seen a hold-back of three segments after it is loaded, at most, and the segment that is being loaded comes first. */
const SEEN_WITHIN_MS = 12_000;
/** A player that chooses by itself has to believe that its line has changed. */
const CHOSEN_WITHIN_MS = 30_000;
/** On a line without delay Chromium's player (156) changes within its first 100 ms, and now and then throws away what it has just begun to play. */
const LINE_LATENCY_MS = 20;
const WIDE_BPS = 10_000_000;
/** Of a rung's bandwidth: what is enough for it, and what brings the segment that is being loaded before the three that were loaded have been played. */
const ENOUGH = 1.5;
const LEAST = 0.5;
const STARTS_WITHIN_MS = 20_000;
/** Between looks at the player's clock and buffer. */
const LOOK_MS = 250;

/** Chooses in the page, by what `begin` has left there. */
const told = { connect: () => chooseInPage, within_ms: SEEN_WITHIN_MS, reached: (now, { height }) => now === height };
const PLAYERS = {
  'hls.js': { script: 'hls.js/dist/hls.min.js', begin: beginHls, ...told },
  shaka: { script: 'shaka-player/dist/shaka-player.compiled.js', begin: beginShaka, ...told },
  'video.js': { script: 'video.js/dist/video.min.js', begin: beginVideoJs, ...told },
  // A step towards the rung that the line is for.
  chromium: { begin: beginNatively, connect: connectByLine, within_ms: CHOSEN_WITHIN_MS, reached: (now, { height, from }) => (now - from) * (height - from) > 0 },
};

const chooseInPage = (page, { height }) => page.evaluate((h) => void window.choose(h), height);

/** A line that becomes wide or narrow; answers with how. */
async function connectByLine(page) {
  const line = await page.context().newCDPSession(page);
  await line.send('Network.enable');
  const emulate = (bps) => line.send('Network.emulateNetworkConditions', { offline: false, latency: LINE_LATENCY_MS, downloadThroughput: bps / 8, uploadThroughput: -1 });
  await emulate(WIDE_BPS);
  const bandwidth = (height) => visits.find((visit) => visit.height === height).bandwidth_bps;
  return (_, { height, from }) => emulate(height > from ? WIDE_BPS : Math.max(bandwidth(height) * ENOUGH, bandwidth(from) * LEAST));
}

// Each of these runs in the page. `window.choose` changes to a rung by its height.

function beginHls(url) {
  // A second behind the live edge, as by its defaults, a change and a busy machine share a buffer of less than that.
  const hls = new Hls({ lowLatencyMode: false });
  hls.on(Hls.Events.ERROR, (_, error) => {
    // What it no longer wants when it changes; it says so itself.
    if (error.details === Hls.ErrorDetails.INTERNAL_ABORTED) return;
    // A clock that stands, whatever it is that it stands for: judged as what the element says of itself is, from when it has begun.
    if (!error.fatal && error.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) {
      window.seen.events.push([error.details, error.error?.message ?? '']);
      return;
    }
    // A playlist that comes late, as from a machine with too much to do, it asks for again: whether it did so in time is seen by its clock.
    const late = !error.fatal && error.details.endsWith('LoadTimeOut');
    window.seen[late ? 'mended' : 'errors'].push(`${error.type} ${error.details} ${error.error?.message ?? ''}`);
  });
  window.choose = (height) => (hls.nextLevel = hls.levels.findIndex((level) => level.height === height));
  hls.loadSource(url);
  hls.attachMedia(document.querySelector('video'));
}

async function beginShaka(url) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener('error', ({ detail }) => window.seen.errors.push(`${detail.category} ${detail.code} ${detail.data}`));
  await player.attach(document.querySelector('video'));
  // Three segments behind the live edge, as the others.
  player.configure({ abr: { enabled: false }, streaming: { lowLatencyMode: false } });
  window.choose = (height) => player.selectVariantTrack(player.getVariantTracks().find((track) => track.height === height));
  await player.load(url);
}

function beginVideoJs(url) {
  // In its low-latency mode it takes a playlist that ends in a hint alone for one whose last part it knows, asks for that part again, is answered as
  // caches may for as long as they may, and stands (8.24.1: `updateMain` merges the hint into the parts of the segment before).
  const player = videojs(document.querySelector('video'), { html5: { vhs: { overrideNative: true, llhls: false } } });
  player.on('error', () => window.seen.errors.push(`${player.error().code} ${player.error().message}`));
  // Asked for each segment that is loaded next. Its list of representations is no way for this: it throws away what is buffered.
  window.choose = (height) => {
    const { vhs } = player.tech({ IWillNotUseThisInPlugins: true });
    vhs.selectPlaylist = () => vhs.playlists.main.playlists.find(({ attributes }) => attributes.RESOLUTION.height === height);
  };
  player.src({ src: url, type: 'application/vnd.apple.mpegurl' });
}

function beginNatively(url) {
  document.querySelector('video').src = url;
}

/** Runs in the page, before its player: keeps what the element shows and says of itself in `window.seen`. */
function observe({ lookMs }) {
  const video = document.querySelector('video');
  window.forget = () => (window.seen = { looks: [], pictures: [], events: [], errors: window.seen?.errors ?? [], mended: window.seen?.mended ?? [] });
  window.forget();
  for (const name of ['waiting', 'stalled', 'seeking', 'pause', 'error', 'ended', 'ratechange']) {
    video.addEventListener(name, () => window.seen.events.push([name, video.currentTime, video.playbackRate]));
  }
  const each = (now, { mediaTime, height }) => {
    window.seen.pictures.push([now, mediaTime, height]);
    video.requestVideoFrameCallback(each);
  };
  video.requestVideoFrameCallback(each);
  setInterval(() => {
    const ranges = Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
    window.seen.looks.push([performance.now(), video.currentTime, ranges]);
  }, lookMs);
}

async function play(name) {
  const { script, begin, connect } = PLAYERS[name];
  const page = await browser([]);
  await page.setContent('<video autoplay playsinline width="640" height="360"></video>');
  if (script) await page.addScriptTag({ content: readFileSync(fileURLToPath(new URL(`node_modules/${script}`, import.meta.url)), 'utf8') });
  await page.evaluate(observe, { lookMs: LOOK_MS });
  const choose = await connect(page);
  await page.evaluate(begin, playlist);
  // One that has begun has loaded what it plays; what a player does on its way there is no change of rung.
  const begun = page.waitForFunction(() => window.seen.pictures.length > 30, null, { timeout: STARTS_WITHIN_MS, polling: LOOK_MS });
  await begun.catch(async () => {
    throw new Error(`${name} does not begin: ${JSON.stringify(await page.evaluate(() => window.seen))}`);
  });
  await page.evaluate(() => window.forget());
  await page.waitForFunction(() => window.seen.pictures.length > 0, null, { timeout: STARTS_WITHIN_MS, polling: LOOK_MS });
  const switches = [];
  await change(page, PLAYERS[name], choose, switches);
  const quality = await page.evaluate(() => {
    const { totalVideoFrames, droppedVideoFrames } = document.querySelector('video').getVideoPlaybackQuality();
    return { totalVideoFrames, droppedVideoFrames };
  });
  return { ...(await page.evaluate(() => window.seen)), ...quality, switches };
}

/** Changes rungs for as long as was asked for. */
async function change(page, { within_ms, reached }, choose, switches) {
  const shown = () => page.evaluate(() => window.seen.pictures.at(-1)?.[2]);
  const began = Date.now();
  for (let at = 0; switches.length === 0 || Date.now() - began < seconds * 1_000; at += 1) {
    const { height, pause_ms } = visits[at % visits.length];
    await page.waitForTimeout(pause_ms);
    const from = await shown();
    // Where it is already there is nothing to be seen.
    if (height === from) continue;
    const asked = Date.now();
    await choose(page, { height, from });
    let now = from;
    while (!reached(now, { height, from }) && Date.now() - asked < within_ms) {
      await page.waitForTimeout(LOOK_MS);
      now = await shown();
    }
    switches.push([height, reached(now, { height, from }) ? Date.now() - asked : null]);
  }
}

try {
  const shows = await Promise.all(players.map(play));
  console.log(JSON.stringify(Object.fromEntries(players.map((name, i) => [name, shows[i]]))));
} finally {
  await closeAll();
}

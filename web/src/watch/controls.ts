// The watch page's own controls: what each button does, and what it says.

import type Hls from 'hls.js';
import type { Events } from 'hls.js';
import { dress } from '../icons';
import { Parts } from '../player';
import { element } from '../room';
import { Edge } from './edge';
import { menuButton, type Item } from './menu';
import { elsewhere, sendable } from './elsewhere';

// Controls hide when nobody has moved for so long.
const IDLE_MS = 3_000;
// How often the distance from the live edge is told anew. Each time changes a word at most.
const TELL_MS = 1_000;
const VOLUME_STEP = 0.1;
const SOUND_ALONE = 'Audio only';

const stage = element('stage');
const video = element<HTMLVideoElement>('player');
const controls = element('controls');
const volume = element<HTMLInputElement>('volume');
const [live, behind, full, corner, captions, quality] = ['live', 'behind', 'full', 'corner', 'captions', 'quality'].map((id) => element(id)) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement];
const menus = [element('captions-menu'), element('quality-menu')];

const edge = new Edge(video);
/** What the menu of qualities chooses between pictures and none; for as long as the page is there. */
export const parts = new Parts();
let hls: Hls | null = null;
// The rungs of the stream, the largest first: a player of the sound alone knows none.
let heights: number[] = [];
// The rows of the rung that somebody chose; none is the player's own choice.
let wanted: number | null = null;
let idle: ReturnType<typeof setTimeout> | undefined;

export const actions = {
  playOrPause: () => void (video.paused ? video.play().catch(() => {}) : video.pause()),
  mute: () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 1;
  },
  louder: (steps: number) => {
    if (steps > 0) video.muted = false;
    video.volume = Math.min(1, Math.max(0, video.volume + steps * VOLUME_STEP));
  },
  goLive: () => edge.goLive(),
  full: () => void fullScreen().catch(() => {}),
  corner: () => void pictureInPicture().catch(() => {}),
  captions: () => {
    const tracks = texts();
    const shown = tracks.find((track) => track.mode === 'showing');
    showText(shown ? null : (tracks[0] ?? null));
  },
  help: () => {
    const help = element<HTMLDialogElement>('help');
    if (help.open) help.close();
    else help.showModal();
  },
};

/** Brings the controls to life. */
export function setUp(): void {
  const press = (id: string, act: () => void) => element(id).addEventListener('click', act);
  press('play', actions.playOrPause);
  press('mute', actions.mute);
  press('live', actions.goLive);
  press('full', actions.full);
  press('corner', actions.corner);
  press('keys', actions.help);
  dress(element('keys'), 'keys', 'Keys', '?');
  volume.addEventListener('input', () => {
    video.volume = Number(volume.value) / 100;
    video.muted = video.volume === 0;
  });
  menuButton(quality, menus[1]!, qualities);
  menuButton(captions, menus[0]!, captionItems);
  full.hidden = !document.fullscreenEnabled && !('webkitEnterFullscreen' in video);
  for (const event of ['play', 'pause', 'volumechange', 'emptied', 'enterpictureinpicture', 'leavepictureinpicture']) video.addEventListener(event, show);
  document.addEventListener('fullscreenchange', show);
  for (const event of ['addtrack', 'removetrack', 'change']) video.textTracks.addEventListener(event, show);
  parts.addEventListener('change', show);
  elsewhere(video, element('cast'), element('airplay'), parts);
  hideWhenIdle();
  setInterval(tell, TELL_MS);
  show();
}

/** The player was set up for a stream. */
export function begun(player: Hls | null): void {
  hls = player;
  edge.begun(player);
  if (player) sendable(player, video);
  hls?.on('hlsManifestParsed' as Events.MANIFEST_PARSED, () => {
    if (hls && !parts.soundAlone) heights = hls.levels.map((l) => l.height).sort((a, b) => b - a);
    const level = hls?.levels.findIndex((l) => l.height === wanted) ?? -1;
    if (hls && wanted !== null && level >= 0) hls.currentLevel = level;
    show();
  });
  hls?.on('hlsLevelSwitched' as Events.LEVEL_SWITCHED, show);
  show();
}

/** Shows the controls' state. */
function show(): void {
  dress(element('play'), video.paused ? 'play' : 'pause', video.paused ? 'Play' : 'Pause', 'k');
  const silent = video.muted || video.volume === 0;
  dress(element('mute'), silent ? 'silent' : 'loud', silent ? 'Sound on' : 'Sound off', 'm');
  volume.value = String(video.muted ? 0 : Math.round(video.volume * 100));
  volume.setAttribute('aria-valuetext', video.muted ? 'muted' : `${volume.value} %`);
  const isFull = document.fullscreenElement !== null;
  dress(full, isFull ? 'small' : 'full', isFull ? 'Leave full screen' : 'Full screen', 'f');
  dress(corner, 'corner', document.pictureInPictureElement ? 'Leave picture in picture' : 'Picture in picture', 'i');
  captions.hidden = element('captions-key').hidden = texts().length === 0;
  dress(captions, 'captions', 'Captions', 'c');
  // A picture of nothing has no corner to be in.
  corner.hidden = parts.soundAlone || !document.pictureInPictureEnabled;
  element('listening').hidden = !parts.soundAlone;
  dress(quality, 'quality', `Quality: ${chosenQuality()}`);
  tell();
  wake();
}

/** Says how far behind the live edge the viewer is. */
function tell(): void {
  const seconds = edge.behind();
  const late = edge.late() || (video.paused && seconds !== null);
  live.toggleAttribute('data-behind', late);
  element('live-word').textContent = late ? 'Go to live' : 'Live';
  live.title = late ? 'Go to live (l)' : 'Live (l)';
  const [short, long] = behind.children as unknown as [HTMLElement, HTMLElement];
  short.textContent = seconds === null ? '' : `${Math.max(1, Math.round(seconds))} s`;
  long.textContent = seconds === null ? '' : ' behind live';
}

/** Two rungs of the same height are one choice. */
function qualities(): Item[] {
  const auto = !parts.soundAlone && (hls?.autoLevelEnabled ?? true);
  const rungs = [...new Set(heights)].map((height) => ({
    words: `${height}p`,
    chosen: !parts.soundAlone && !auto && chosenHeight() === height,
    choose: () => choose(height),
  }));
  return [
    { words: auto ? autoWords() : 'Auto', chosen: auto, choose: () => choose(null) },
    ...(rungs.length > 1 ? rungs : []),
    { words: SOUND_ALONE, chosen: parts.soundAlone, choose: listenOnly },
  ];
}

/** Pictures of so many rows, or of as many as the player finds good. */
function choose(height: number | null): void {
  wanted = height;
  const level = hls?.levels.findIndex((l) => l.height === height) ?? -1;
  // From the next segment on: what is buffered is played first, without a break. From the sound alone there is no way but a new player.
  if (parts.soundAlone) parts.change({ soundAlone: false });
  else if (hls) hls.nextLevel = level;
  show();
}

/** The sound alone, which is to be heard; what stays of the picture is closed with it. */
function listenOnly(): void {
  video.muted = false;
  if (document.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
  parts.change({ soundAlone: true });
}

function chosenHeight(): number | undefined {
  return hls?.levels[hls.manualLevel]?.height;
}

function autoWords(): string {
  const height = hls?.levels[hls.currentLevel]?.height;
  return height ? `Auto (${height}p)` : 'Auto';
}

function chosenQuality(): string {
  if (parts.soundAlone) return SOUND_ALONE;
  return !hls || hls.autoLevelEnabled ? autoWords() : `${chosenHeight() ?? '?'}p`;
}

function texts(): TextTrack[] {
  return [...video.textTracks].filter((track) => track.kind === 'captions' || track.kind === 'subtitles');
}

function captionItems(): Item[] {
  const tracks = texts();
  const shown = tracks.find((track) => track.mode === 'showing');
  const each = tracks.map((track) => ({ words: track.label || track.language || 'Captions', chosen: track === shown, choose: () => showText(track) }));
  return [{ words: 'Off', chosen: !shown, choose: () => showText(null) }, ...each];
}

function showText(wantedTrack: TextTrack | null): void {
  for (const track of texts()) track.mode = track === wantedTrack ? 'showing' : 'disabled';
}

async function fullScreen(): Promise<void> {
  if (document.fullscreenElement) return document.exitFullscreen();
  if (stage.requestFullscreen) return stage.requestFullscreen();
  // A phone of Apple's takes the video alone.
  (video as HTMLVideoElement & { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
}

async function pictureInPicture(): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await video.requestPictureInPicture();
}

function wake(): void {
  delete stage.dataset.idle;
  clearTimeout(idle);
  idle = setTimeout(() => {
    const open = menus.some((menu) => !menu.hidden);
    if (!video.paused && !open && !controls.querySelector(':focus-visible')) stage.dataset.idle = '';
  }, IDLE_MS);
}

/** Controls come with a pointer's move, a touch and the focus, and go by themselves while it plays. */
function hideWhenIdle(): void {
  for (const event of ['pointermove', 'focusin', 'keydown']) stage.addEventListener(event, wake);
  stage.addEventListener('pointerleave', (event) => {
    // A finger leaves with every touch.
    if (event.pointerType !== 'touch' && !video.paused && menus.every((menu) => menu.hidden)) stage.dataset.idle = '';
  });
  video.addEventListener('click', (event) => {
    // A finger shows and hides the controls; a mouse has shown them by coming here.
    if ((event as PointerEvent).pointerType !== 'touch') return actions.playOrPause();
    if ('idle' in stage.dataset) wake();
    else if (!video.paused) stage.dataset.idle = '';
  });
  video.addEventListener('dblclick', actions.full);
}

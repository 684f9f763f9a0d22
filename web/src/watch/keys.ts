// The watch page by keyboard.

import { actions } from './controls';

/** What a key does, wherever the focus is. */
const KEYS: Record<string, () => void> = {
  ' ': actions.playOrPause,
  k: actions.playOrPause,
  m: actions.mute,
  f: actions.full,
  i: actions.corner,
  l: actions.goLive,
  c: actions.captions,
  '?': actions.help,
  ArrowUp: () => actions.louder(1),
  ArrowDown: () => actions.louder(-1),
};

export function listen(): void {
  document.addEventListener('keydown', (event) => {
    // The browser's own shortcuts, and what is typed or pressed.
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (target.closest('dialog, [role=menu]') && event.key !== '?') return;
    if (target.matches('input') && (!target.matches('[type=range]') || event.key.startsWith('Arrow'))) return;
    if (target.matches('button, a') && event.key === ' ') return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// The pages' own drawings, 24 by 24, in the colour of the text beside them.

const DRAWINGS = {
  light: 'M3 19h18M6 19a6 6 0 0 1 12 0M12 9V4.5M6 11.5l-3-3M18 11.5l3-3',
  play: 'M7 4.5v15l12-7.5z',
  pause: 'M8 5v14M16 5v14',
  loud: 'M4 9.5v5h3.5L12 18V6L7.5 9.500zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11',
  silent: 'M4 9.5v5h3.5L12 18V6L7.5 9.500zM16 9.500l5 5M21 9.500l-5 5',
  captions: 'M3 6h18v12H3zM10.5 10.500a2.1 2.1 0 1 0 0 3M17 10.500a2.1 2.1 0 1 0 0 3',
  quality: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  corner: 'M3 5h18v14H3zM12 12h6.500v4.500H12z',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  small: 'M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5',
  cast: 'M3 8V5h18v14h-6M3 12a7 7 0 0 1 7 7M3 16a3 3 0 0 1 3 3',
  airplay: 'M7 17H3V5h18v12h-4M12 14l5 6H7z',
  keys: 'M9.2 9a2.9 2.9 0 1 1 4.3 2.500c-1 .6-1.5 1.2-1.5 2.500M12 17.500v.1',
  microphone: 'M12 3.500a2.8 2.8 0 0 0-2.8 2.800v5a2.8 2.8 0 0 0 5.6 0v-5A2.8 2.8 0 0 0 12 3.500zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.500V21',
  muted: 'M12 3.500a2.8 2.8 0 0 0-2.8 2.800v5a2.8 2.8 0 0 0 5.6 0v-5A2.8 2.8 0 0 0 12 3.500zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.500V21M4 4l16 16',
  camera: 'M3 7h11.500v10H3zM14.5 11 21 7.500v9L14.5 13',
  dark: 'M3 7h11.500v10H3zM14.5 11 21 7.500v9L14.5 13M4 4l16 16',
  screen: 'M3 5h18v11H3zM8.5 20h7M12 13V8.500M9.5 10.5 12 8l2.5 2.5',
  people: 'M9 11a3.2 3.2 0 1 0 0-6.400A3.2 3.2 0 0 0 9 11zM3 19.500a6 6 0 0 1 12 0M16 5a3.1 3.1 0 0 1 0 5.800M17.5 14.200a6 6 0 0 1 3.5 5.3',
  clock: 'M12 3.500a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.500V12l3 2',
  grid: 'M3 4.500h8v6.500H3zM13 4.500h8v6.500h-8zM3 13h8v6.500H3zM13 13h8v6.500h-8z',
  spotlight: 'M3 5h18v14H3z',
  sidebar: 'M3 5h12v14H3zM17 5h4v4h-4zM17 10h4v4h-4zM17 15h4v4h-4z',
  'picture-in-picture': 'M3 5h18v14H3zM13 12.500h6v4.500h-6z',
  headphones: 'M4 15.500v-2.500a8 8 0 0 1 16 0v2.500M4 14.500h2.500a1 1 0 0 1 1 1v3.500a1 1 0 0 1-1 1H5.500a1.5 1.5 0 0 1-1.500-1.500zM20 14.500h-2.500a1 1 0 0 0-1 1v3.500a1 1 0 0 0 1 1h1a1.5 1.5 0 0 0 1.500-1.500z',
  ear: 'M6.5 9.500a5.5 5.5 0 1 1 9.2 4c-1.5 1.4-1.7 2-1.7 3.500a3.2 3.2 0 0 1-6 1.500M9.5 10a2.5 2.5 0 1 1 4 2',
} as const;

export type Icon = keyof typeof DRAWINGS;

/** A drawing that says nothing to a screen reader: what stands for words has them beside it. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', DRAWINGS[name]);
  const look = { viewBox: '0 0 24 24', fill: name === 'play' ? 'currentColor' : 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' };
  for (const [attribute, value] of Object.entries(look)) svg.setAttribute(attribute, value);
  svg.append(path);
  return svg;
}

/** Puts the drawings where the page's HTML asks for them: `data-icon`. */
export function drawIcons(): void {
  for (const place of document.querySelectorAll<HTMLElement>('[data-icon]')) place.prepend(icon(place.dataset.icon as Icon));
}

/** Gives a button that has only a drawing another one, and other words. */
export function dress(button: HTMLElement, name: Icon, words: string, key = ''): void {
  button.querySelector('svg')?.replaceWith(icon(name));
  button.setAttribute('aria-label', words);
  button.title = key ? `${words} (${key})` : words;
}

import { resolve } from 'node:path';
import { defineConfig } from 'vite';

// The player's library is asked for with the watch page's own script rather than after it: on a slow line that is a round trip less.
const playerEarly = {
  name: 'player-early',
  transformIndexHtml: {
    order: 'post',
    handler(_, { bundle, path }) {
      const library = Object.values(bundle ?? {}).find((file) => file.type === 'chunk' && file.isDynamicEntry);
      if (!library || !path.endsWith('watch.html')) return [];
      return [{ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: `/${library.fileName}` }, injectTo: 'head' }];
    },
  },
};

// One bundle a page; file names carry their content's hash, because the server lets them be cached for a year.
export default defineConfig({
  base: '/',
  plugins: [playerEarly],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    // hls.js alone is larger than the default's 500 kB.
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      input: Object.fromEntries(['index', 'studio', 'watch'].map((name) => [name, resolve(import.meta.dirname, `${name}.html`)])),
    },
  },
});

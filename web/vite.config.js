import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
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

// The server has no compressor at hand for its own pages: a third of hls.js is what goes over a phone's line.
const gzipped = {
  name: 'gzipped',
  writeBundle({ dir }, bundle) {
    for (const file of Object.values(bundle)) {
      if (!/\.(js|css)$/.test(file.fileName)) continue;
      writeFileSync(join(dir, `${file.fileName}.gz`), gzipSync(file.type === 'chunk' ? file.code : file.source, { level: 9 }));
    }
  },
};

// One bundle a page; file names carry their content's hash, because the server lets them be cached for a year.
export default defineConfig({
  base: '/',
  plugins: [playerEarly, gzipped],
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

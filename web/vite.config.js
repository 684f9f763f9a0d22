import { resolve } from 'node:path';
import { defineConfig } from 'vite';

// One bundle a page; file names carry their content's hash, because the server lets them be cached for a year.
export default defineConfig({
  base: '/',
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: Object.fromEntries(['index', 'studio', 'watch'].map((name) => [name, resolve(import.meta.dirname, `${name}.html`)])),
    },
  },
});

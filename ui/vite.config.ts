import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// The policy of tauri.conf.json, minus the bridge: what runs here in a browser must also run there.
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; frame-src 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";

/** uPlot formats numbers in the browser's language as it loads. Under `LANG=C` WebKit calls that “C”, which is no language, and the page would stay blank. We format our own axes. */
const uplotWithoutLocale: Plugin = {
  name: 'uplot-without-locale',
  transform(code, id) {
    if (!id.includes('/uplot/')) return null;
    const fixed = code.replace("domEnv ? nav.language : 'en-US'", "'en-US'");
    if (fixed === code && code.includes('nav.language')) throw new Error('uPlot reads the language in another way now');
    return fixed;
  },
};

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), uplotWithoutLocale],
  optimizeDeps: { exclude: ['uplot'] },
  clearScreen: false,
  server: { host: '127.0.0.1', port: 1420, strictPort: true },
  preview: { host: '127.0.0.1', headers: { 'Content-Security-Policy': csp } },
  build: {
    outDir: mode === 'fake' ? 'dist-fake' : 'dist',
    target: ['safari18', 'chrome123'],
    cssTarget: ['safari18', 'chrome123'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
}));

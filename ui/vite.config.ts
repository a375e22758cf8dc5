import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The policy of tauri.conf.json, minus the bridge: what runs here in a browser must also run there.
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; frame-src 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";

export default defineConfig(({ mode }) => ({
  // bits-ui ships runes that vitest must compile too.
  plugins: [svelte()],
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

// Serves the page built on the fake engine and opens Debian's Chromium on it. Shared by the pictures and the tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--force-color-profile=srgb',
  '--hide-scrollbars',
];

/** Builds, serves and opens; `use` gets a function that opens pages. Everything is closed at the end. */
export async function withBrowser(use) {
  const root = new URL('..', import.meta.url).pathname;
  if (!process.env.CLAVIGER_UI_BUILT) await build({ root, mode: 'fake', logLevel: 'warn' });
  const server = await preview({
    root,
    mode: 'fake',
    logLevel: 'warn',
    build: { outDir: 'dist-fake' },
    preview: { port: 0, strictPort: false, host: '127.0.0.1' },
  });
  const origin = `http://127.0.0.1:${server.httpServer.address().port}`;
  const profile = mkdtempSync(join(tmpdir(), 'claviger-ui-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...ARGS, `--disk-cache-dir=${profile}`],
  });
  try {
    await use((options) => openPage(browser, origin, options));
  } finally {
    await browser.close();
    await new Promise((done) => server.httpServer.close(done));
    server.httpServer.closeAllConnections?.();
    rmSync(profile, { recursive: true, force: true });
  }
}

async function openPage(
  browser,
  origin,
  { search = '', hash = '', theme = 'light', width = 1440, height = 900, text = '100', keep = {} } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.stack ?? error.message}`));
  page.on(
    'console',
    (message) =>
      ['error', 'warning'].includes(message.type()) && complaints.push(`${message.type()}: ${message.text()}`),
  );
  page.on(
    'request',
    (request) =>
      !request.url().startsWith(origin) &&
      !request.url().startsWith('data:') &&
      !request.url().startsWith('blob:') &&
      complaints.push(`fetched ${request.url()}`),
  );
  await page.addInitScript(
    (values) => {
      for (const [name, value] of Object.entries(values)) localStorage.setItem(`claviger.${name}`, value);
    },
    { text, ...keep },
  );
  await page.goto(`${origin}/${search}${hash}`);
  await page.evaluate(() => document.fonts.ready);
  return { page, complaints, close: () => context.close() };
}

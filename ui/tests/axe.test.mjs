// axe-core finds nothing on any screen, light or dark; none is too wide when small or with text twice as large.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { withBrowser } from '../scripts/browser.mjs';
import { reach, SCREENS } from '../scripts/screens.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// The rules are run in both lights; small and enlarged, what can go wrong is the room.
const LOOKS = [
  { name: 'light', theme: 'light', rules: true },
  { name: 'dark', theme: 'dark', rules: true },
  { name: '900x600', theme: 'light', width: 900, height: 600, rules: false },
  { name: 'text at 200 %', theme: 'dark', text: '200', rules: false },
];

await withBrowser(async (open) => {
  for (const look of LOOKS) {
    for (const screen of SCREENS) {
      await test(`${screen.name}, ${look.name}`, async () => {
        const { page, complaints, close } = await open({ ...screen, ...look });
        try {
          await reach(page, screen);
          if (look.rules) assert.deepEqual(await violations(page), [], 'violations');
          const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(sideways <= 0, `the page is ${sideways} px too wide`);
          assert.deepEqual(complaints, [], 'the console and the policy have nothing to say');
        } finally {
          await close();
        }
      });
    }
  }
});

async function violations(page) {
  await page.evaluate(axe);
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations: found } = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), tags);
  return found.map(
    (one) =>
      `${one.id}: ${one.nodes
        .map((node) => node.target.join(' '))
        .slice(0, 4)
        .join(' | ')}`,
  );
}

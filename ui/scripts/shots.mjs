// Pictures of every screen on the fake engine, light and dark: npm run shots [-- FOLDER [PART OF A NAME]]
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withBrowser } from './browser.mjs';
import { reach, SCREENS } from './screens.mjs';

const folder = process.argv[2] ?? join(tmpdir(), 'claviger-shots');
const only = process.argv[3] ?? '';
mkdirSync(folder, { recursive: true });

const SIZES = [
  { suffix: '', width: 1440, height: 900, themes: ['light', 'dark'], text: '100', of: () => true },
  { suffix: '-900x600', width: 900, height: 600, themes: ['light'], text: '100', of: () => true },
  {
    suffix: '-200',
    width: 1440,
    height: 900,
    themes: ['light'],
    text: '200',
    of: (name) => !/-(empty|error|warning|wrong)$/.test(name),
  },
];

await withBrowser(async (open) => {
  for (const size of SIZES) {
    for (const screen of SCREENS) {
      for (const theme of size.themes) {
        const name = `${screen.name}${size.suffix}-${theme}`;
        if (!size.of(screen.name) || !name.includes(only)) continue;
        const { page, complaints, close } = await open({ ...screen, ...size, theme });
        try {
          await reach(page, screen);
        } catch (thrown) {
          complaints.push(thrown.message.split('\n')[0]);
        }
        await page.screenshot({ path: join(folder, `${name}.png`) });
        for (const complaint of complaints) process.stdout.write(`${name}: ${complaint}\n`);
        await close();
      }
    }
  }
});
process.stdout.write(`${folder}\n`);

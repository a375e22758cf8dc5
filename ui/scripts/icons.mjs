// Renders icons/*.svg to the PNGs that the app and the tray use. Run after an SVG changes: npm run icons
import { readFileSync, writeFileSync } from 'node:fs';
import { Resvg } from '@resvg/resvg-js';

const folder = new URL('../../icons/', import.meta.url);
const wanted = [
  ['icon', '32x32', 32],
  ['icon', '128x128', 128],
  ['icon', '128x128@2x', 256],
  ['icon', 'icon', 512],
  ...['unlocked', 'locked', 'paused', 'attention'].flatMap((state) => [
    [`tray-${state}`, `tray-${state}`, 32],
    [`tray-${state}`, `tray-${state}@2x`, 64],
  ]),
];

for (const [source, name, size] of wanted) {
  const svg = readFileSync(new URL(`${source}.svg`, folder));
  const png = new Resvg(svg, { fitTo: { mode: 'width', value: size } }).render().asPng();
  writeFileSync(new URL(`${name}.png`, folder), png);
  process.stdout.write(`${name}.png ${size} px, ${png.length} bytes\n`);
}

// Looks at the product's page after it is built: nothing of the fake engine, nothing the window's policy would block,
// nothing from afar. Run by `npm run build`.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const dist = new URL('../dist/', import.meta.url).pathname;
const problems = [];
const files = readdirSync(dist, { recursive: true })
  .map(String)
  .filter((name) => statSync(join(dist, name)).isFile());

// Words that occur in src/ipc/fake/ alone.
const FAKE = ['demo-password-1', 'research-crew', 'billing.corp.internal', 'jira-reports'];
// Places that text may name without fetching them.
const NAMED =
  /^https?:\/\/(www\.w3\.org\/|127\.0\.0\.1|ipc\.localhost|tauri\.localhost|(api|auth)\.example\.com|svelte\.dev\/e\/|github\.com\/|bits-ui\.com|tauri\.app)/;

for (const name of files) {
  if (!/\.(html|js|css)$/.test(name)) continue;
  const text = readFileSync(join(dist, name), 'utf8');
  for (const word of FAKE) if (text.includes(word)) problems.push(`${name} holds “${word}” of the fake engine`);
  if (name.endsWith('.js') && /\beval\(|new Function\(/.test(text)) problems.push(`${name} makes code from text`);
  if (name.endsWith('.js') && /\.language\b/.test(text))
    problems.push(`${name} reads the browser’s language, which may be none (LANG=C)`);
  if (name.endsWith('.html') && /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/.test(text))
    problems.push(`${name} holds inline script or style`);
  for (const [url] of text.matchAll(/https?:\/\/[a-z0-9.-]+[^\s"'`)\\]*/gi)) {
    if (!NAMED.test(url)) problems.push(`${name} names ${url}`);
  }
}
if (!files.includes('index.html')) problems.push('there is no index.html');

if (problems.length > 0) {
  process.stderr.write(`ui/dist is not fit to ship:\n  ${problems.join('\n  ')}\n`);
  process.exit(1);
}
const size = files.reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);
process.stdout.write(
  `ui/dist checked: ${files.length} files, ${Math.round(size / 1024)} KiB, no fake engine, no inline code, nothing from afar\n`,
);

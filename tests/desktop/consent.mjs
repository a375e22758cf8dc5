// A person at the browser: opens the address that Claviger asked to have opened, signs in at the server, agrees, and
// reads what stands on the page that it ends at. Real Chromium, without a window.
//
// node consent.mjs URL WHERE FOLDER: WHERE is the page's modules; pictures go to FOLDER, if it is named.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [url, modules, folder] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const { chromium } = require("playwright-core");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
try {
  const page = await browser.newPage({ viewport: { width: 960, height: 720 } });
  page.setDefaultTimeout(15_000);
  const home = new URL(url).origin;
  let shot = 0;
  const picture = async (name) => folder && page.screenshot({ path: join(folder, `consent-${(shot += 1)}-${name}.png`) });
  await page.goto(url);
  // Its forms, as often as it asks: sign in, then agree.
  for (let turn = 0; turn < 6 && new URL(page.url()).origin === home; turn += 1) {
    const login = page.locator("input[name=login]");
    if (await login.count()) {
      await login.fill("alice");
      await page.fill("input[name=password]", "x");
      await picture("sign-in");
    } else {
      await picture("agree");
    }
    await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  }
  await picture("back");
  process.stdout.write(JSON.stringify({ at: page.url(), says: await page.innerText("body") }));
} finally {
  await browser.close();
}

// What agents ask for is answered by the human: as asked, narrower, or not at all.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { withBrowser } from '../scripts/browser.mjs';

const OPTIONS = { search: '?traffic=off', hash: '#/agents' };
const FIRST = '[data-testid=proposal] >> nth=0';

await withBrowser(async (open) => {
  const scene = (name, work) =>
    test(name, async () => {
      const { page, complaints, close } = await open(OPTIONS);
      page.setDefaultTimeout(10_000);
      try {
        await page.waitForSelector('[data-testid=proposal]');
        await work(page);
        assert.deepEqual(complaints, [], 'the console and the policy have nothing to say');
      } finally {
        await close();
      }
    });
  const asking = (page) => page.locator('[data-testid=proposal]').count();
  const oneIsLeft = (page) =>
    page.waitForFunction(() => document.querySelectorAll('[data-testid=proposal]').length === 1);
  const grantsOf = (page, agent) => page.locator(`.agent:has(button:text-is("${agent}")) .grants`).innerText();

  await scene('a proposal is allowed as asked, and taken back', async (page) => {
    assert.equal(await asking(page), 2, 'two agents ask');
    assert.match(await page.innerText(FIRST), /codex may use github-bot for GET, POST on \/repos\/acme\/web/);
    assert.doesNotMatch(await grantsOf(page, 'codex'), /github-bot/, 'nothing is granted before the answer');
    await page.click(`${FIRST} >> [data-testid=proposal-allow]`);
    await page.waitForSelector('text=codex may use GitHub as asked');
    await page.waitForSelector('.agent:has(button:text-is("codex")) >> text=github-bot');
    await oneIsLeft(page);
    await page.waitForSelector('[data-testid=nav-agents][aria-label="Agents and grants, 1 asking"]');
    await page.click('text=Undo');
    await page.waitForFunction(() => {
      const card = [...document.querySelectorAll('.agent')].find((one) => one.innerText.startsWith('codex'));
      return !card.innerText.includes('github-bot');
    });
  });

  await scene('with several credentials one is chosen first', async (page) => {
    const second = '[data-testid=proposal] >> nth=1';
    assert.equal(await page.locator(`${second} >> [data-testid=proposal-allow]`).isDisabled(), true, 'not before');
    await page.click(`${second} >> text=Choose a credential`);
    await page.click('[role=option] >> text=openai-prod');
    await page.click(`${second} >> [data-testid=proposal-allow]`);
    await page.waitForSelector('.agent:has(button:text-is("claude-code")) >> text=openai-prod');
  });

  await scene('less than asked is allowed by the rules of a grant', async (page) => {
    await page.click(`${FIRST} >> text=Narrow…`);
    await page.uncheck('input[value=POST]', { force: true });
    await page.fill('#rule-paths', 'repos');
    await page.click('[role=dialog] >> button:text-is("Allow")');
    await page.waitForSelector('text=must begin with a slash');
    await page.fill('#rule-paths', '/repos/acme/web/pulls/**');
    await page.click('[role=dialog] >> button:text-is("Allow")');
    await page.waitForSelector('text=codex may use github-bot for GET on /repos/acme/web/pulls/**');
    await oneIsLeft(page);
  });

  await scene('a denial grants nothing', async (page) => {
    const before = await grantsOf(page, 'codex');
    await page.click(`${FIRST} >> [data-testid=proposal-deny]`);
    await page.waitForSelector('text=codex was told no');
    await oneIsLeft(page);
    assert.equal(await grantsOf(page, 'codex'), before, 'and nothing is granted');
  });
});

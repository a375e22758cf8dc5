// The main ways through the window, by keyboard and hooks, on the fake engine under the window's own policy.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { withBrowser } from '../scripts/browser.mjs';

const PASSWORD = 'harbour violin moss 41';
const SECRET = 'sk-ant-api03-Y2FuYXJ5LWNhbmFyeQ-AA';
const id = (name) => `[data-testid=${name}]`;

/** Nothing of the secret in any attribute, text or field of the page, nor in what it stores. */
const seen = (page, secret) =>
  page.evaluate((needle) => {
    const fields = [...document.querySelectorAll('input, textarea')].map((one) => one.value);
    return [
      document.documentElement.outerHTML,
      ...fields,
      JSON.stringify(localStorage),
      JSON.stringify(sessionStorage),
      location.href,
    ].some((text) => text.includes(needle));
  }, secret);

await withBrowser(async (open) => {
  const scene = (name, options, work) =>
    test(name, async () => {
      const { page, complaints, close } = await open(options);
      page.setDefaultTimeout(10_000);
      try {
        await work(page);
        assert.deepEqual(complaints, [], 'the console and the policy have nothing to say');
      } finally {
        await close();
      }
    });

  await scene(
    'first run goes from nothing to an agent whose first request has arrived',
    { search: '?vault=absent' },
    async (page) => {
      await page.fill(id('create-password'), 'password');
      await page.fill(id('create-password-again'), 'password');
      await page.click(id('create-submit'));
      await page.waitForSelector('text=too weak for a vault');
      await page.fill(id('create-password'), PASSWORD);
      await page.fill(id('create-password-again'), `${PASSWORD}x`);
      await page.click(id('create-submit'));
      await page.waitForSelector('text=not the same');
      assert.equal(await seen(page, PASSWORD), false, 'a refused password left the page');
      await page.fill(id('create-password-again'), PASSWORD);
      await page.keyboard.press('Enter');
      const key = await page.innerText(id('recovery-key'));
      assert.equal(await seen(page, PASSWORD), false, 'the password left the page');

      const groups = [...key.matchAll(/[0-9A-Z]{4,}/g)].map(([group]) => group);
      const field = async (which) => {
        const input = page.locator(id(`recovery-group-${which}`));
        return [input, groups[Number(await input.getAttribute('data-group')) - 1]];
      };
      const [a, groupA] = await field('a');
      const [b, groupB] = await field('b');
      assert.notEqual(groupA, groupB, 'two different groups are asked for');
      await a.fill('0000');
      await b.fill(groupB);
      await page.click(id('recovery-continue'));
      await page.waitForSelector('text=not what the key says');
      await a.fill(groupA.toLowerCase());
      await page.click(id('recovery-continue'));

      await page.waitForSelector(id('paste-secret'));
      assert.equal(await seen(page, groups[0] + '-' + groups[1]), false, 'the recovery key left the page');
      await page.fill(id('paste-secret'), `ANTHROPIC_API_KEY=${SECRET}`);
      await page.waitForSelector(`${id('recognised-service')}[data-service=anthropic]`);
      assert.equal(await page.inputValue(id('credential-name')), 'anthropic', 'a name is suggested');
      await page.click(id('credential-submit'));
      await page.waitForSelector(id('agent-name'));
      assert.equal(await seen(page, SECRET), false, 'the secret left the page');

      await page.fill(id('agent-name'), 'claude-code');
      await page.click(id('agent-submit'));
      const token = await page.innerText(id('agent-token'));
      assert.match(token, /^eyJ/, 'the token is shown');
      assert.match(
        await page.innerText(id('wiring-lines')),
        /ANTHROPIC_BASE_URL='http:\/\/127\.0\.0\.1:/,
        'the lines are exact',
      );
      await page.waitForSelector('text=The first request has arrived');
      await page.click(id('onboarding-skip'));
      await page.waitForSelector(id('tile-requests'));
      assert.equal(await seen(page, token), false, 'the token left the page');
    },
  );

  await scene(
    'a wrong password says so, keeps nothing, and the right one opens',
    { search: '?vault=locked&traffic=off' },
    async (page) => {
      await page.fill(id('unlock-password'), 'not-this-one');
      await page.keyboard.press('Enter');
      await page.waitForSelector('[role=alert] >> text=not the password');
      assert.equal(await seen(page, 'not-this-one'), false, 'the wrong password left the page');
      await page.waitForFunction(() => document.activeElement?.id === 'unlock-password');
      await page.keyboard.type('demo-password-1');
      await page.keyboard.press('Enter');
      await page.waitForSelector(id('tile-requests'));
      assert.equal(await seen(page, 'demo-password-1'), false, 'the password left the page');
    },
  );

  await scene(
    'locking takes every answer out of the page',
    { search: '?traffic=off', hash: '#/credentials' },
    async (page) => {
      await page.waitForSelector('text=anthropic-main');
      await page.click(id('lock-button'));
      await page.waitForSelector(id('unlock-password'));
      assert.equal(await seen(page, 'anthropic-main'), false, 'no name of the vault is left');
    },
  );

  await scene(
    'the keyboard alone reaches every view, and the focus comes back',
    { search: '?traffic=off' },
    async (page) => {
      await page.waitForSelector(id('tile-requests'));
      const title = (text) =>
        page.waitForFunction(
          (wanted) =>
            document.activeElement?.matches('[data-view-title]') && document.activeElement.textContent === wanted,
          text,
        );
      for (const [key, text] of [
        ['2', 'Credentials'],
        ['3', 'Agents and grants'],
        ['4', 'Activity'],
        ['5', 'Services'],
        ['6', 'Settings'],
        ['7', 'About'],
        ['1', 'Overview'],
      ]) {
        await page.keyboard.press(key);
        await title(text);
      }
      await page.keyboard.press('2');
      await title('Credentials');
      await page.keyboard.press('/');
      await page.keyboard.type('stripe');
      await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForSelector('aside[aria-label=stripe-test]');
      await page.keyboard.press('Escape');
      await page.waitForSelector('aside[aria-label=stripe-test]', { state: 'detached' });
      assert.equal(
        await page.evaluate(() => document.activeElement?.textContent?.trim()),
        'stripe-test',
        'the focus is back on the row',
      );

      await page.keyboard.press('Control+k');
      await page.keyboard.type('codex');
      await page.waitForFunction(() =>
        document.querySelector('[role=option][aria-selected=true]')?.textContent?.startsWith('codex'),
      );
      await page.keyboard.press('Enter');
      await page.waitForSelector('aside[aria-label=codex]');

      await page.keyboard.press('?');
      await page.waitForSelector('text=Keyboard shortcuts');
      await page.keyboard.press('Escape');
      await page.waitForSelector('[role=dialog]', { state: 'detached' });
      assert.equal(
        await page.locator('aside[aria-label=codex]').count(),
        1,
        'Escape closed what was on top, and only that',
      );
      await page.keyboard.press('Control+l');
      await page.waitForSelector(id('unlock-password'));
    },
  );

  await scene(
    'freezing and removing a grant can be undone; revoking wants the name',
    { search: '?traffic=off', hash: '#/credentials/stripe-test' },
    async (page) => {
      await page.click('aside >> text=Freeze');
      await page.waitForSelector('aside >> text=Frozen');
      await page.click('text=Undo');
      await page.waitForSelector('aside >> text=Active');

      await page.click('aside >> text=Revoke');
      const button = page.locator('[role=dialog] button[type=submit]');
      assert.equal(await button.isDisabled(), true, 'nothing is typed yet');
      await page.fill('#revoke-name', 'stripe');
      assert.equal(await button.isDisabled(), true, 'half of the name is not the name');
      await page.keyboard.press('Escape');
      await page.waitForSelector('[role=dialog]', { state: 'detached' });

      await page.evaluate(() => (location.hash = '#/agents/invoice-bot'));
      await page.click('[aria-label="Remove the grant on stripe-test"]');
      await page.waitForSelector('[aria-label="Remove the grant on stripe-test"]', { state: 'detached' });
      await page.click('text=Undo');
      await page.waitForSelector('[aria-label="Remove the grant on stripe-test"]');
      await page.waitForSelector('aside >> text=at most 30/min');
    },
  );

  await scene(
    'a grant’s rules are checked before they are saved',
    { search: '?traffic=off', hash: '#/agents/invoice-bot' },
    async (page) => {
      await page.click('[aria-label="Change the grant on stripe-test"]');
      await page.fill('#rule-paths', 'v1/invoices');
      await page.click('[role=dialog] >> text=Save');
      await page.waitForSelector('text=must begin with a slash');
      await page.fill('#rule-paths', '/v1/invoices/*');
      await page.fill('#rule-rate', '12');
      await page.click('[role=dialog] >> text=Save');
      await page.waitForSelector('aside >> text=on /v1/invoices/*, at most 12/min');
    },
  );

  await scene(
    'a credential that could not be stored is not asked for twice',
    { search: '?traffic=off', hash: '#/credentials?add=1' },
    async (page) => {
      await page.fill(id('paste-secret'), SECRET);
      await page.waitForSelector(id('recognised-service'));
      await page.fill(id('credential-name'), 'anthropic-main');
      await page.click(id('credential-submit'));
      await page.waitForSelector('[role=dialog] [role=alert]');
      assert.equal(await seen(page, SECRET), false, 'it is kept, but not in the page');
      await page.fill(id('credential-name'), 'anthropic-second');
      await page.click(id('credential-submit'));
      await page.waitForSelector('aside[aria-label=anthropic-second]');
    },
  );

  await scene(
    'the feed draws only what is in sight and walks by keyboard',
    { search: '?traffic=off', hash: '#/activity' },
    async (page) => {
      await page.waitForSelector(id('activity-row'));
      const drawn = await page.locator(id('activity-row')).count();
      assert.ok(drawn > 5 && drawn < 60, `${drawn} rows are drawn`);
      const frame = page.locator('[role=list][aria-label^=Entries]');
      for (let i = 0; i < 6; i += 1) {
        const before = await frame.evaluate((one) => one.scrollHeight);
        await frame.evaluate((one) => (one.scrollTop = one.scrollHeight));
        await page.waitForFunction(
          (height) => document.querySelector('[role=list][aria-label^=Entries]').scrollHeight > height,
          before,
        );
      }
      assert.ok((await page.locator(id('activity-row')).count()) < 60, 'still only those in sight');
      const order = await page
        .locator(id('activity-row'))
        .evaluateAll((rows) => rows.map((row) => Number(row.dataset.seq)));
      assert.deepEqual(
        order,
        [...order].sort((a, b) => b - a),
        'newest first, none twice',
      );
      assert.equal(new Set(order).size, order.length, 'none twice');
      await page.locator(id('activity-row')).nth(3).focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.waitForSelector('aside >> text=Tracking id');
      await page.keyboard.press('Escape');
      await page.waitForSelector('aside >> text=Tracking id', { state: 'detached' });
    },
  );

  await scene('the feed follows the traffic, and holds still when told', { hash: '#/activity' }, async (page) => {
    const top = () => page.locator(id('activity-row')).first().getAttribute('data-seq');
    await page.waitForSelector(id('activity-row'));
    const first = await top();
    await page.waitForFunction(
      (seq) => document.querySelector('[data-testid=activity-row]')?.dataset.seq !== seq,
      first,
    );
    await page.click('text=Pause feed');
    const held = await top();
    await page.waitForSelector('text=/\\d+ new entr/');
    assert.equal(await top(), held, 'nothing moved');
    await page.click('text=Resume feed');
    await page.waitForFunction(
      (seq) => document.querySelector('[data-testid=activity-row]')?.dataset.seq !== seq,
      held,
    );
  });

  await scene(
    'an error says what to do and can be tried again',
    { search: '?fail=credential.list&traffic=off', hash: '#/credentials' },
    async (page) => {
      await page.waitForSelector('[role=alert] >> text=the disk did not answer');
      await page.click('text=Try again');
      await page.waitForSelector('[role=alert] >> text=Check the disk');
    },
  );

  await scene('the recovery key opens the vault and is replaced', { search: '?vault=absent' }, async (page) => {
    await page.fill(id('create-password'), PASSWORD);
    await page.fill(id('create-password-again'), PASSWORD);
    await page.click(id('create-submit'));
    const old = [...(await page.innerText(id('recovery-key'))).matchAll(/[0-9A-Z]{4,}/g)]
      .map(([group]) => group)
      .join('-');
    await page.evaluate(() => window.dispatchEvent(new KeyboardEvent('keydown')));
    for (const which of ['a', 'b']) {
      const input = page.locator(id(`recovery-group-${which}`));
      await input.fill(old.split('-')[Number(await input.getAttribute('data-group')) - 1]);
    }
    await page.click(id('recovery-continue'));
    await page.click(id('onboarding-skip'));
    await page.click(id('lock-button'));
    await page.click('text=Use the recovery key');
    await page.fill(id('recover-key'), old.toLowerCase());
    await page.fill(id('recover-password'), 'another lantern under snow 7');
    await page.click(id('recover-submit'));
    await page.waitForSelector('text=Keep your new recovery key');
    const fresh = [...(await page.innerText(id('recovery-key'))).matchAll(/[0-9A-Z]{4,}/g)]
      .map(([group]) => group)
      .join('-');
    assert.notEqual(fresh, old, 'another key');
    for (const which of ['a', 'b']) {
      const input = page.locator(id(`recovery-group-${which}`));
      await input.fill(fresh.split('-')[Number(await input.getAttribute('data-group')) - 1]);
    }
    await page.click(id('recovery-continue'));
    await page.waitForSelector('text=No traffic yet');
  });

  await scene(
    'settings say what they cost and can be undone',
    { search: '?traffic=off', hash: '#/settings' },
    async (page) => {
      await page.waitForSelector('text=a power cut at most the last 50 ms');
      await page.check('input[value=strict]', { force: true });
      await page.waitForSelector('text=A power cut loses nothing');
      await page.click('text=Undo');
      await page.waitForSelector('text=a power cut at most the last 50 ms');
      await page.fill('#set-port', '80');
      assert.equal(await page.locator('button:has-text("Move")').isDisabled(), true, 'no privileged port');
    },
  );
});

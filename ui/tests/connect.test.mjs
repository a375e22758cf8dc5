// The walk to a connection, its detail and its end, by keyboard and hooks, on the fake engine under the window's policy.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { withBrowser } from '../scripts/browser.mjs';
import { jwt, toConnected, toDevice, toFlow, toRegister } from '../scripts/screens.mjs';

const id = (name) => `[data-testid=${name}]`;
const state = (name) => `[data-testid=flow-state][data-state=${name}]`;
const SECRET = 'client-secret-canary-0123456789';

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
      const { page, complaints, close } = await open({ ...options, search: `?traffic=off&${options.search ?? ''}` });
      page.setDefaultTimeout(12_000);
      try {
        await work(page);
        assert.deepEqual(complaints, [], 'the console and the policy have nothing to say');
      } finally {
        await close();
      }
    });
  const at = (connect) => `#/credentials?connect=${connect}`;

  await scene('a service is connected by the keyboard alone and granted', { hash: '#/credentials' }, async (page) => {
    await page.focus(id('sign-in-with'));
    await page.keyboard.press('Enter');
    await page.waitForSelector(id('connect-linear'));
    await page.keyboard.press('/');
    await page.keyboard.type('lin');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.textContent === 'What Linear is asked for');
    assert.equal(await page.inputValue(id('connection-name')), 'linear', 'a name is suggested');
    await page.focus(id('access-next'));
    await page.keyboard.press('Enter');
    await page.waitForSelector(state('waiting_browser'));
    assert.match(await page.innerText(id('flow-countdown')), /^[45]:\d\d$/, 'it says how long it waits');
    await page.waitForSelector(state('connected'));
    await page.waitForFunction(() => document.activeElement?.textContent === 'Linear is connected');
    await page.keyboard.press('Tab');
    await page.focus(id('connected-grant'));
    await page.keyboard.press('Enter');
    await page.waitForSelector('[role=dialog] >> text=Grant linear to an agent');
    await page.click('[role=dialog] >> text=Add grant');
    await page.waitForSelector('text=/Granted to /');
    await page.click(id('connected-done'));
    await page.waitForSelector('aside[aria-label=linear] >> text=Connected');
    assert.equal(await page.locator(id('pending-flow')).count(), 0, 'what is done is put away');
  });

  await scene(
    'the least is preselected, and what reaches far says so in a word',
    { hash: at('github') },
    async (page) => {
      await page.waitForSelector('text=Delete repositories');
      const rows = await page
        .locator('fieldset li')
        .evaluateAll((all) => all.map((one) => [one.querySelector('input').checked, one.innerText]));
      assert.deepEqual(
        rows.filter(([checked]) => checked).map(([, text]) => text.split('\n')[0]),
        ['Read your profile'],
        'one scope is chosen',
      );
      assert.ok(
        rows.filter(([, text]) => /Far-reaching/.test(text)).every(([checked]) => !checked),
        'nothing far-reaching is chosen by itself',
      );
      await page.waitForSelector('text=read, but change nothing');
      await page.check('label:has-text("Delete repositories") input');
      await page.waitForSelector('text=It reaches far');
      await page.click('text=Back to the least');
      await page.waitForSelector('text=read, but change nothing');
      await page.fill('[aria-label="Another scope"]', 'two words');
      await page.keyboard.press('Enter');
      await page.waitForSelector('text=A scope has no spaces');
      await page.fill('[aria-label="Another scope"]', 'gist');
      await page.keyboard.press('Enter');
      await page.waitForSelector('text=Not known here');
      await page.waitForSelector('text=2 scopes chosen');
    },
  );

  await scene(
    'an app is registered step by step, and its secret leaves the page',
    { hash: at('gitlab') },
    async (page) => {
      await toRegister(page);
      const uri = await page.innerText(id('redirect-uri'));
      assert.match(uri, /^http:\/\/127\.0\.0\.1:\d+\/callback\/\w+$/, 'the exact address');
      await page.click('figure:has-text("Redirect address") >> button');
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), uri, 'it is copied whole');
      await page.check('label:has-text("any port") input');
      assert.match(await page.innerText(id('redirect-uri')), /^http:\/\/127\.0\.0\.1\/callback/, 'without a port');
      assert.equal(await page.locator(id('register-next')).isDisabled(), true, 'without an id it does not go on');
      await page.fill(id('client-id'), 'app-4821');
      await page.fill(id('client-secret'), SECRET);
      await page.click(id('register-next'));
      await page.waitForSelector(state('waiting_browser'));
      assert.equal(await seen(page, SECRET), false, 'the secret left the page');
    },
  );

  await scene('going back keeps what was chosen', { hash: at('gitlab') }, async (page) => {
    await page.check('label:has-text("Push to your projects") input');
    await page.fill(id('connection-name'), 'gitlab-push');
    await toRegister(page);
    await page.fill(id('client-id'), 'app-4821');
    await page.click('text="Back"');
    await page.waitForSelector('text=3 scopes chosen');
    assert.equal(await page.inputValue(id('connection-name')), 'gitlab-push', 'the name is kept');
    await page.keyboard.press('4');
    await page.waitForSelector('h1:has-text("Activity")');
    await page.goBack();
    await page.waitForSelector('text=3 scopes chosen');
    await toRegister(page);
    assert.equal(await page.inputValue(id('client-id')), 'app-4821', 'the id is kept');
  });

  await scene(
    'a device’s code stands large, with where, since when and until when',
    { search: 'consent=hold', hash: at('github') },
    async (page) => {
      await toDevice(page);
      assert.equal(await page.innerText(id('device-code')), 'WDJB-MJHT', 'the code');
      const size = await page
        .locator(id('device-code'))
        .evaluate((one) => Number.parseFloat(getComputedStyle(one).fontSize));
      assert.ok(size >= 28, `the code is ${size} px high`);
      await page.click('text=Copy code');
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'WDJB-MJHT', 'it is copied');
      await page.waitForSelector('text=/You started this at \\d\\d:\\d\\d/');
      const before = await page.innerText(id('flow-countdown'));
      await page.waitForFunction(
        (text) => document.querySelector('[data-testid=flow-countdown]').textContent !== text,
        before,
      );
    },
  );

  await scene(
    'leaving loses nothing: a waiting flow is taken up again, and its end is told elsewhere',
    { hash: at('linear') },
    async (page) => {
      await toFlow('waiting_browser')(page);
      await page.keyboard.press('Escape');
      await page.waitForSelector(`${id('pending-flow')}[data-state=waiting_browser]`);
      await page.click(id('pending-open'));
      await page.waitForSelector(state('waiting_browser'));
      await page.keyboard.press('1');
      await page.waitForSelector(id('tile-requests'));
      await page.waitForSelector('text=linear is connected');
      await page.keyboard.press('2');
      await page.waitForSelector(`${id('pending-flow')}[data-state=connected]`);
      await page.click('text=See what was granted');
      await page.waitForSelector(state('connected'));
    },
  );

  await scene(
    'what was held back and what nobody asked for is marked',
    { search: 'consent=less', hash: at('jira') },
    async (page) => {
      await toConnected(page);
      const rows = await page.locator(`${id('granted-scopes')} li`).allInnerTexts();
      assert.ok(
        rows.some((row) => /offline_access/.test(row) && /Granted/.test(row)),
        `granted: ${rows}`,
      );
      assert.ok(
        rows.some((row) => /read:jira-work/.test(row) && /Withheld/.test(row)),
        `withheld: ${rows}`,
      );
      assert.ok(
        rows.some((row) => /profile/.test(row) && /Not asked for/.test(row)),
        `unasked: ${rows}`,
      );
      await page.waitForSelector('text=held back 1 scope');
      await page.waitForSelector('text=nobody asked for');
    },
  );

  await scene(
    'a refusal says what to do, keeps what was chosen and can be tried again',
    { search: 'consent=deny', hash: at('linear') },
    async (page) => {
      await page.check('label:has-text("Create issues") input');
      await toFlow('failed')(page);
      await page.waitForSelector('[role=alert] >> text=said no');
      await page.waitForSelector('text=What you chose is still here');
      await page.click(id('flow-again'));
      await page.waitForSelector(state('waiting_browser'));
      await page.waitForSelector(state('failed'));
      await page.click(id('flow-change'));
      await page.waitForSelector('text=2 scopes chosen');
    },
  );

  await scene(
    'a client that is not taken leads back to its id',
    { search: 'consent=refuse', hash: at('gitlab') },
    async (page) => {
      await toRegister(page);
      await page.fill(id('client-id'), 'app-wrong');
      await page.fill(id('client-secret'), SECRET);
      await page.click(id('register-next'));
      await page.waitForSelector(state('failed'));
      await page.click(id('flow-register'));
      assert.equal(await page.inputValue(id('client-id')), 'app-wrong', 'the id is still there');
      assert.equal(await page.inputValue(id('client-secret')), '', 'the secret is not');
    },
  );

  await scene(
    'cancelling stores nothing and locking ends what waits',
    { search: 'consent=hold', hash: at('linear') },
    async (page) => {
      await toFlow('waiting_browser')(page);
      await page.click(id('flow-cancel'));
      await page.waitForSelector(state('cancelled'));
      await page.click('text=Leave it');
      await page.waitForSelector('text=anthropic-main');
      assert.equal(await page.locator('tbody >> text=/^linear$/').count(), 0, 'no credential was made');
      await page.evaluate(() => (location.hash = '#/credentials?connect=linear'));
      await toFlow('waiting_browser')(page);
      await page.click(id('lock-button'));
      await page.fill(id('unlock-password'), 'demo-password-1');
      await page.keyboard.press('Enter');
      await page.waitForSelector('h2:has-text("This is over")');
    },
  );

  await scene('any server is asked by its address', { hash: at('any') }, async (page) => {
    await page.fill(id('any-issuer'), 'http://192.168.1.7:9000');
    await page.fill(id('any-issuer'), 'https://nowhere.example');
    await page.click(id('any-service'));
    await page.keyboard.type('billing');
    await page.click('[role=option]:has-text("billing-internal")');
    await page.click(id('any-ask'));
    await page.waitForSelector('[role=alert] >> text=No OAuth server was found');
    await page.fill(id('any-issuer'), 'https://auth.example.com');
    await page.click(id('any-ask'));
    await page.waitForSelector('h2:has-text("billing-internal is asked for")');
    await page.click(id('access-next'));
    await page.waitForSelector(state('waiting_browser'));
    assert.equal(await page.locator(id('flow-state')).getAttribute('data-state'), 'waiting_browser');
  });

  await scene(
    'a server that cannot be asked says so, and is asked again',
    { search: 'fail=oauth.discover', hash: at('notion') },
    async (page) => {
      await page.waitForSelector('[role=alert] >> text=Check the disk');
      await page.click('text=Try again');
      await page.waitForSelector('[role=alert] >> text=Check the disk');
      await page.click('text="Back"');
      await page.waitForSelector(id('connect-notion'));
    },
  );

  await scene(
    'a broken connection stands on the Overview and is reconnected from there',
    { search: 'connection=broken' },
    async (page) => {
      await page.waitForSelector(`${id('attention-row')} >> text=slack-standup`);
      assert.equal(await page.locator('text=must be consented to again').count(), 0, 'it is said once');
      await page.waitForSelector(`${id('attention-row')} >> text=invalid_grant`);
      await page.click(id('attention-reconnect'));
      await page.waitForSelector('h1:has-text("Reconnect Slack")');
      await page.waitForSelector(state('connected'));
      await page.keyboard.press('1');
      await page.waitForSelector(id('tile-requests'));
      await page.waitForSelector(id('attention-row'), { state: 'detached' });
    },
  );

  await scene(
    'a connection is renewed, and ended with what its provider said',
    { hash: '#/credentials/linear-team' },
    async (page) => {
      await page.waitForSelector('aside >> text=mara@acme.example');
      await page.click(id('renew'));
      await page.waitForSelector('text=/linear-team is renewed/');
      await page.click(id('disconnect'));
      await page.keyboard.press('Escape');
      await page.waitForSelector('[role=dialog]', { state: 'detached' });
      await page.click(id('disconnect'));
      await page.click(id('disconnect-confirm'));
      await page.waitForSelector(`${id('disconnected')} >> text=Linear has taken its tokens back`);
      await page.click('[role=dialog] >> text=/^Close$/');
      await page.waitForSelector('aside >> text=Revoked');
      assert.equal(await page.locator(id('renew')).count(), 0, 'nothing is left to renew');
    },
  );

  await scene(
    'a pasted token says what it is, and its end is filled in',
    { hash: '#/credentials?add=1' },
    async (page) => {
      const token = jwt(40 * 86_400, { sub: 'evil\u202etxet', scope: 'reports:read' });
      await page.fill(id('paste-secret'), `API_TOKEN="${token}"`);
      await page.waitForSelector(`${id('token-facts')} >> text=https://login.example.com`);
      const text = await page.innerText(id('token-facts'));
      assert.match(text, /evil\\u202e/, 'what turns text round is spelled out');
      assert.match(text, /reports:read/, 'its scopes');
      const end = new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10);
      assert.equal(await page.inputValue('#credential-expires'), end, 'its end');
      await page.fill(id('paste-secret'), jwt(-3600));
      await page.waitForSelector(`${id('token-facts')} >> text=Has ended`);
      assert.equal(await page.inputValue('#credential-expires'), '', 'an end that has passed is not filled in');
      await page.fill(id('paste-secret'), 'eyJhbGciOiJub25l.bm90IGpzb24.x');
      await page.waitForSelector(id('token-facts'), { state: 'detached' });
    },
  );

  await scene(
    'a copied secret leaves the clipboard after a minute, unless it was replaced',
    { hash: '#/agents?add=1' },
    async (page) => {
      await page.clock.install();
      await page.fill(id('agent-name'), 'docs-writer');
      await page.click(id('agent-submit'));
      const token = (await page.innerText(id('agent-token'))).trim();
      const held = () => page.evaluate(() => navigator.clipboard.readText());
      await page.click('text=Copy token');
      await page.waitForSelector('text=/Leaves the clipboard in \\d+ s/');
      assert.equal(await held(), token, 'it is there');
      await page.clock.runFor(61_000);
      await page.waitForSelector('text=No longer on the clipboard');
      await page.waitForFunction(async () => (await navigator.clipboard.readText()) === '');
      await page.click('text=Copy token');
      await page.evaluate(() => navigator.clipboard.writeText('something of my own'));
      await page.clock.runFor(61_000);
      assert.equal(await held(), 'something of my own', 'what else was copied is not touched');
    },
  );
});

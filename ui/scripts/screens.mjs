// Every screen there is, with the way to it on the fake engine. Shared by the pictures and the tests.
const still = 'traffic=off';
export const SCREENS = [
  {
    name: 'first-run-create',
    search: '?vault=absent',
    act: async (page) => page.fill('[data-testid=create-password]', 'harbour violin moss 41'),
  },
  { name: 'first-run-no-keychain', search: '?vault=absent&keychain=unavailable' },
  { name: 'first-run-recovery', search: '?vault=absent', act: toRecovery },
  { name: 'first-run-credential', search: '?vault=absent', act: toCredential },
  { name: 'first-run-agent', search: '?vault=absent', act: toAgent },
  { name: 'first-run-wired', search: '?vault=absent', act: toWired },
  { name: 'unlock', search: `?vault=locked&${still}` },
  { name: 'unlock-wrong', search: `?vault=locked&${still}`, act: wrongPassword },
  { name: 'unlock-missing', search: `?vault=locked&keychain=missing&${still}` },
  { name: 'unlock-recover', search: `?vault=locked&${still}`, act: (page) => page.click('text=Use the recovery key') },
  { name: 'overview', search: `?${still}` },
  {
    name: 'overview-30d-tokens',
    search: `?${still}`,
    keep: { range: '30d' },
    act: (page) => page.check('input[value=tokens]', { force: true }),
  },
  { name: 'overview-empty', search: `?data=empty&${still}` },
  { name: 'overview-error', search: `?fail=usage.overview&${still}` },
  {
    name: 'overview-warning',
    search: `?warn=1&${still}`,
    act: (page) => page.click('[aria-label="Pause all agents"]'),
  },
  { name: 'credentials', search: `?${still}`, hash: '#/credentials' },
  { name: 'credentials-open', search: `?${still}`, hash: '#/credentials/github-bot' },
  { name: 'credentials-add', search: `?${still}`, hash: '#/credentials?add=1', act: pasteKey },
  { name: 'credentials-empty', search: `?data=empty&${still}`, hash: '#/credentials' },
  {
    name: 'credentials-jwt',
    search: `?${still}`,
    hash: '#/credentials?add=1',
    act: async (page) => {
      await page.fill('[data-testid=paste-secret]', jwt());
      await page.waitForSelector('[data-testid=token-facts]');
    },
  },
  { name: 'connection', search: `?${still}`, hash: '#/credentials/slack-standup' },
  { name: 'connection-broken', search: `?connection=broken&${still}`, hash: '#/credentials/slack-standup' },
  { name: 'connection-attention', search: `?connection=broken&${still}` },
  {
    name: 'connection-end',
    search: `?${still}`,
    hash: '#/credentials/linear-team',
    act: (page) => page.click('[data-testid=disconnect]'),
  },
  { name: 'connect-choose', search: `?${still}`, hash: '#/credentials?connect=1' },
  { name: 'connect-access', search: `?${still}`, hash: '#/credentials?connect=github' },
  {
    name: 'connect-any',
    search: `?${still}`,
    hash: '#/credentials?connect=any',
    act: (page) => page.fill('[data-testid=any-issuer]', 'https://auth.example.com'),
  },
  { name: 'connect-asking', search: `?slow=oauth.discover&${still}`, hash: '#/credentials?connect=notion' },
  {
    name: 'connect-unreachable',
    search: `?fail=oauth.discover&${still}`,
    hash: '#/credentials?connect=notion',
    act: (page) => page.waitForSelector('[role=alert]'),
  },
  { name: 'connect-register', search: `?${still}`, hash: '#/credentials?connect=gitlab', act: toRegister },
  {
    name: 'connect-browser',
    search: `?consent=hold&${still}`,
    hash: '#/credentials?connect=linear',
    act: toFlow('waiting_browser'),
  },
  { name: 'connect-device', search: `?consent=hold&${still}`, hash: '#/credentials?connect=github', act: toDevice },
  { name: 'connect-done', search: `?consent=less&${still}`, hash: '#/credentials?connect=jira', act: toConnected },
  {
    name: 'connect-failed',
    search: `?consent=deny&${still}`,
    hash: '#/credentials?connect=linear',
    act: toFlow('failed'),
  },
  {
    name: 'connect-cancelled',
    search: `?consent=hold&${still}`,
    hash: '#/credentials?connect=linear',
    act: toCancelled,
  },
  { name: 'connect-pending', search: `?consent=hold&${still}`, hash: '#/credentials?connect=linear', act: toPending },
  { name: 'agents', search: `?${still}`, hash: '#/agents' },
  { name: 'agents-open', search: `?${still}`, hash: '#/agents/invoice-bot' },
  { name: 'agents-connect', search: `?${still}`, hash: '#/agents/claude-code?tab=connect' },
  {
    name: 'agents-grant',
    search: `?${still}`,
    hash: '#/agents/invoice-bot',
    act: (page) => page.click('[aria-label="Change the grant on stripe-test"]'),
  },
  {
    name: 'agents-narrow',
    search: `?${still}`,
    hash: '#/agents',
    act: (page) => page.click('[data-testid=proposal] >> text=Narrow…'),
  },
  { name: 'agents-token', search: `?${still}`, hash: '#/agents?add=1', act: addAgent },
  { name: 'activity', search: `?${still}`, hash: '#/activity' },
  {
    name: 'activity-open',
    search: `?${still}`,
    hash: '#/activity?result=refused',
    act: (page) => page.click('[data-testid=activity-row] >> nth=2'),
  },
  {
    name: 'activity-done',
    search: `?${still}`,
    hash: '#/activity?agent=claude-code&result=done',
    act: (page) => page.click('[data-testid=activity-row] >> nth=1'),
  },
  { name: 'services', search: `?${still}`, hash: '#/services' },
  { name: 'services-add', search: `?${still}`, hash: '#/services', act: (page) => page.click('text=Add service') },
  { name: 'settings', search: `?${still}`, hash: '#/settings' },
  { name: 'about', search: `?${still}`, hash: '#/about' },
  { name: 'palette', search: `?${still}`, act: palette },
  { name: 'shortcuts', search: `?${still}`, act: (page) => page.keyboard.press('?') },
];

/** Goes to a screen and waits until nothing is being fetched, drawn or moved any more. */
export async function reach(page, screen) {
  await page.locator('main :is(h1, h2, [role=alert]):visible').first().waitFor();
  await screen.act?.(page);
  await page.waitForFunction(
    () =>
      !document.querySelector('[aria-busy=true], .skeleton') &&
      document
        .getAnimations()
        .every((one) => one.playState !== 'running' || one.effect?.getTiming().iterations === Infinity),
    undefined,
    { timeout: 8000 },
  );
}
async function wrongPassword(page) {
  await page.fill('[data-testid=unlock-password]', 'not this one');
  await page.click('[data-testid=unlock-submit]');
  await page.waitForSelector('[role=alert]');
}
async function toRecovery(page) {
  await page.fill('[data-testid=create-password]', 'harbour violin moss 41');
  await page.fill('[data-testid=create-password-again]', 'harbour violin moss 41');
  await page.click('[data-testid=create-submit]');
  await page.waitForSelector('[data-testid=recovery-key]');
}
async function toCredential(page) {
  await toRecovery(page);
  const groups = (await page.innerText('[data-testid=recovery-key]')).split(/[\s-]+/).filter(Boolean);
  for (const which of ['a', 'b']) {
    const field = page.locator(`[data-testid=recovery-group-${which}]`);
    await field.fill(groups[Number(await field.getAttribute('data-group')) - 1]);
  }
  await page.click('[data-testid=recovery-continue]');
  await pasteKey(page);
}
async function pasteKey(page) {
  await page.fill('[data-testid=paste-secret]', 'export ANTHROPIC_API_KEY="sk-ant-api03-Zm9yIGRlbW8gb25seQ-AA"');
  await page.waitForSelector('[data-testid=recognised-service]');
}
async function toAgent(page) {
  await toCredential(page);
  await page.click('[data-testid=credential-submit]');
  await page.fill('[data-testid=agent-name]', 'claude-code');
}
async function toWired(page) {
  await toAgent(page);
  await page.click('[data-testid=agent-submit]');
  await page.waitForSelector('[data-testid=wiring-lines]');
  await page.waitForSelector('text=first request has arrived', { timeout: 15000 });
}
async function addAgent(page) {
  await page.fill('[data-testid=agent-name]', 'docs-writer');
  await page.check('input[value=anthropic-main]');
  await page.click('[data-testid=agent-submit]');
  await page.waitForSelector('[data-testid=agent-token]');
}
async function palette(page) {
  await page.keyboard.press('Control+k');
  await page.waitForSelector('[role=dialog]');
  await page.keyboard.type('cl');
}
/** Begins with what is chosen already and waits for a state. */
export function toFlow(state) {
  return async (page) => {
    await page.click('[data-testid=access-next]');
    await page.waitForSelector(`[data-testid=flow-state][data-state=${state}]`, { timeout: 15000 });
  };
}
export async function toRegister(page) {
  await page.click('[data-testid=access-next]');
  await page.waitForSelector('[data-testid=client-id]');
}
async function withApp(page) {
  await toRegister(page);
  await page.fill('[data-testid=client-id]', 'Iv1.8a61f9b3a7aba766');
  await page.click('[data-testid=register-next]');
}
export async function toDevice(page) {
  await withApp(page);
  await page.waitForSelector('[data-testid=device-code]');
}
export async function toConnected(page) {
  await withApp(page);
  await page.waitForSelector('[data-testid=flow-state][data-state=connected]', { timeout: 15000 });
}
async function toCancelled(page) {
  await toFlow('waiting_browser')(page);
  await page.click('[data-testid=flow-cancel]');
  await page.waitForSelector('[data-testid=flow-state][data-state=cancelled]');
}
async function toPending(page) {
  await toFlow('waiting_browser')(page);
  await page.click('text=Do something else meanwhile');
  await page.waitForSelector('[data-testid=pending-flow]');
}
/** A token with the claims of a real one and a signature of none, good for so many seconds. */
export function jwt(life = 40 * 86_400, more = {}) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'https://login.example.com',
    sub: 'svc-reports@acme',
    aud: 'https://api.example.com',
    scope: 'reports:read invoices:read invoices:write',
    iat: now - 3600,
    exp: now + life,
    tid: 'acme-7d1',
    ...more,
  };
  return `${part({ alg: 'RS256', typ: 'JWT', kid: '2026-09' })}.${part(claims)}.c2lnbmF0dXJlLWZvci1kZW1vLW9ubHk`;
}

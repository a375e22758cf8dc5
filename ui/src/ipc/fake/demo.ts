/** A believable workplace: five agents, seven credentials, two months of traffic. */
import { mark, word } from './random';
import { history } from './traffic';
import { iso, makeId, proxyBase, remember, sentence, type World } from './world';

const DAY = 86_400_000;

type CredentialRow = [
  name: string,
  service: string,
  kind: string,
  state: string,
  days: number,
  version: number,
  expiresIn: number | null,
];
const CREDENTIALS: CredentialRow[] = [
  ['anthropic-main', 'anthropic', 'api-key', 'active', 41, 3, null],
  ['openai-prod', 'openai', 'api-key', 'active', 97, 1, null],
  ['openai-research', 'openai', 'api-key', 'active', 12, 2, 18],
  ['gemini-lab', 'google_gemini', 'api-key', 'active', 63, 1, null],
  ['github-bot', 'github', 'api-key', 'active', 27, 4, 5],
  ['stripe-test', 'stripe', 'api-key', 'active', 8, 1, null],
  ['jira-reports', 'jira', 'basic', 'frozen', 154, 1, null],
  ['linear-old', 'linear', 'api-key', 'revoked', 211, 2, null],
];

const AGENTS: [name: string, state: string, days: number][] = [
  ['claude-code', 'active', 41],
  ['research-crew', 'active', 33],
  ['invoice-bot', 'active', 19],
  ['codex', 'active', 6],
  ['nightly-ci', 'paused', 58],
];

type GrantRow = [
  agent: string,
  credential: string,
  methods: string[],
  paths: string[],
  rate: string | null,
  hours: string | null,
  expiresIn: number | null,
];
const GRANTS: GrantRow[] = [
  ['claude-code', 'anthropic-main', [], [], null, null, null],
  ['claude-code', 'github-bot', ['GET', 'POST'], ['/repos/acme/**'], '120/min', null, 30],
  ['research-crew', 'openai-research', ['POST'], ['/v1/chat/completions', '/v1/embeddings'], '300/min', null, null],
  ['research-crew', 'gemini-lab', [], [], null, null, null],
  ['invoice-bot', 'stripe-test', ['GET', 'POST'], ['/v1/invoices/**', '/v1/customers/**'], '30/min', '06:00-20:00', 60],
  ['invoice-bot', 'openai-prod', ['POST'], ['/v1/responses'], '20/min', null, 60],
  ['codex', 'openai-prod', [], [], null, null, null],
  ['nightly-ci', 'github-bot', ['GET'], ['/repos/acme/**'], null, '01:00-05:00', null],
];

const PROPOSALS: [
  agent: string,
  service: string,
  title: string,
  why: string,
  methods: string[],
  paths: string[],
  minutes: number,
][] = [
  [
    'codex',
    'github',
    'GitHub',
    'To open a pull request with the fix for the flaky date test in acme/web.',
    ['GET', 'POST'],
    ['/repos/acme/web/**'],
    4,
  ],
  [
    'claude-code',
    'openai',
    'OpenAI',
    'Embed 240 pages of documentation for the search index.',
    ['POST'],
    ['/v1/embeddings'],
    38,
  ],
];

export function fillDemo(world: World): void {
  const now = Date.now();
  world.proposals = PROPOSALS.map(([agent, service, title, why, methods, paths, minutes]) => ({
    proposal: makeId(world, 'prop'),
    agent,
    service,
    title,
    why,
    methods,
    paths,
    state: 'open',
    created: iso(now - minutes * 60_000),
    answered: null,
    grant: null,
    credentials: [],
    would: null,
  }));
  world.vault = 'unlocked';
  world.password = 'demo-password-1';
  world.services.push({
    name: 'billing-internal',
    id: makeId(world, 'svc'),
    title: 'billing-internal',
    base_url: 'https://billing.corp.internal:8443',
    auth: 'header:x-billing-key',
    allow_private: true,
    own_ca: true,
    built_in: false,
    metered: false,
    console_url: '',
  });
  for (const [name, service, kind, state, days, version, expiresIn] of CREDENTIALS) {
    const created = now - (days + (version - 1) * 45) * DAY;
    const id = makeId(world, 'cred');
    world.credentials.push({
      name,
      id,
      service,
      service_title: world.services.find((one) => one.name === service)?.title ?? service,
      kind,
      fingerprint: mark(name + version),
      state,
      version,
      created: iso(created),
      rotated: version > 1 ? iso(now - days * DAY) : null,
      last_used: null,
      expires: expiresIn === null ? null : iso(now + expiresIn * DAY),
    });
    world.versions.set(
      id,
      Array.from({ length: version }, (_, i) => ({
        version: version - i,
        stored: iso(now - (days + i * 45) * DAY),
        fingerprint: mark(name + (version - i)),
        current: i === 0,
      })),
    );
  }
  for (const [name, state, days] of AGENTS) {
    world.agents.push({
      name,
      id: makeId(world, 'agt'),
      state,
      created: iso(now - days * DAY),
      expires: iso(now + (name === 'nightly-ci' ? 4 : 72) * DAY),
      last_seen: null,
    });
  }
  for (const [agent, credential, methods, paths, rate, hours, expiresIn] of GRANTS) {
    const service = world.credentials.find((one) => one.name === credential)?.service ?? '';
    const grant = {
      grant: makeId(world, 'grt'),
      agent,
      credential,
      service,
      base_url: `${proxyBase(world)}/g/${word(world.random, 26)}`,
      methods,
      paths,
      rate,
      hours,
      created: iso(now - 6 * DAY),
      expires: expiresIn === null ? null : iso(now + expiresIn * DAY),
      sentence: '',
    };
    grant.sentence = sentence(grant);
    world.grants.push(grant);
  }
  history(world, now);
  const acts: [hours: number, code: string, reason: string, agent: string | null, credential: string | null][] = [
    [31, 'grant.add', 'claude-code may use github-bot', 'claude-code', 'github-bot'],
    [20, 'credential.freeze', 'frozen in the window', null, 'jira-reports'],
    [7.5, 'agent.pause', 'paused in the window', 'nightly-ci', null],
    [2.1, 'vault.unlock', 'unlocked by password', null, null],
  ];
  for (const [hours, code, reason, agent, credential] of acts) {
    remember(world, { result: 'act', code, reason, agent, credential }, now - hours * 3_600_000);
  }
  world.record.sort((a, b) => a.time - b.time);
  world.record.forEach((entry, i) => (entry.seq = i + 1));
  world.seq = world.record.length;
}

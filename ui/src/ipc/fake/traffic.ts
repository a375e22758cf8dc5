/** Requests that never were: two months of them, and a new one every few seconds. */
import { pick, type Random } from './random';
import { iso, remember, type World } from './world';

const HOUR = 3_600_000;

interface Habit {
  agent: string;
  credential: string;
  host: string;
  weight: number;
  calls: [method: string, path: string, model: string | null][];
  /** Typical tokens in and out, and milliseconds. */
  size: [tokensIn: number, tokensOut: number, ms: number];
  failing: number;
  refused: number;
  refusals: [method: string, path: string, code: string, reason: string][];
}

const HABITS: Habit[] = [
  {
    agent: 'claude-code', credential: 'anthropic-main', host: 'api.anthropic.com:443', weight: 46, failing: 0.012, refused: 0,
    calls: [['POST', '/v1/messages', 'claude-sonnet-4-6'], ['POST', '/v1/messages', 'claude-opus-4-6'], ['POST', '/v1/messages', 'claude-haiku-4-5'], ['POST', '/v1/messages/count_tokens', null]],
    size: [18_400, 920, 4_100], refusals: [],
  },
  {
    agent: 'claude-code', credential: 'github-bot', host: 'api.github.com:443', weight: 14, failing: 0.03, refused: 0.05,
    calls: [['GET', '/repos/acme/ledger/pulls', null], ['GET', '/repos/acme/ledger/issues/412', null], ['POST', '/repos/acme/ledger/issues/412/comments', null], ['GET', '/repos/acme/site/contents/src/App.svelte', null]],
    size: [0, 0, 240],
    refusals: [['DELETE', '/repos/acme/ledger/branches/main', 'policy_denied', 'method DELETE is not among GET, POST'], ['GET', '/user/emails', 'policy_denied', 'path is outside /repos/acme/**']],
  },
  {
    agent: 'research-crew', credential: 'openai-research', host: 'api.openai.com:443', weight: 24, failing: 0.02, refused: 0.02,
    calls: [['POST', '/v1/chat/completions', 'gpt-5.2'], ['POST', '/v1/chat/completions', 'gpt-5.2-mini'], ['POST', '/v1/embeddings', 'text-embedding-3-large']],
    size: [6_200, 540, 2_300],
    refusals: [['GET', '/v1/models', 'policy_denied', 'method GET is not among POST'], ['POST', '/v1/chat/completions', 'rate_limited', 'more than 300 requests in a minute']],
  },
  {
    agent: 'research-crew', credential: 'gemini-lab', host: 'generativelanguage.googleapis.com:443', weight: 9, failing: 0.04, refused: 0,
    calls: [['POST', '/v1beta/models/gemini-3-pro:generateContent', 'gemini-3-pro']],
    size: [9_800, 700, 3_400], refusals: [],
  },
  {
    agent: 'invoice-bot', credential: 'stripe-test', host: 'api.stripe.com:443', weight: 11, failing: 0.02, refused: 0.06,
    calls: [['GET', '/v1/invoices', null], ['POST', '/v1/invoices', null], ['GET', '/v1/customers/cus_QnT4', null]],
    size: [0, 0, 310],
    refusals: [['POST', '/v1/refunds', 'policy_denied', 'path is outside /v1/invoices/**, /v1/customers/**'], ['POST', '/v1/invoices', 'rate_limited', 'more than 30 requests in a minute']],
  },
  {
    agent: 'invoice-bot', credential: 'openai-prod', host: 'api.openai.com:443', weight: 6, failing: 0.01, refused: 0,
    calls: [['POST', '/v1/responses', 'gpt-5.2-mini']], size: [2_100, 310, 1_500], refusals: [],
  },
  {
    agent: 'codex', credential: 'openai-prod', host: 'api.openai.com:443', weight: 17, failing: 0.015, refused: 0,
    calls: [['POST', '/v1/responses', 'gpt-5.2-codex'], ['GET', '/v1/models', null]], size: [14_000, 1_150, 5_200], refusals: [],
  },
];

const TOTAL = HABITS.reduce((sum, habit) => sum + habit.weight, 0);

export function history(world: World, now: number): void {
  const { random } = world;
  for (let hour = 60 * 24; hour > 0; hour -= 1) {
    const start = now - hour * HOUR;
    const date = new Date(start);
    const clock = date.getHours() + date.getMinutes() / 60;
    const awake = Math.exp(-((clock - 11) ** 2) / 14) + 0.75 * Math.exp(-((clock - 16.5) ** 2) / 10) + 0.06;
    const weekday = date.getDay() === 0 || date.getDay() === 6 ? 0.28 : 1;
    const growth = 1.25 - hour / (60 * 24 * 2);
    const count = Math.round(46 * awake * weekday * growth * (0.7 + random() * 0.6)) + (hour <= 3 ? 24 : 0);
    const times = Array.from({ length: count }, () => start + random() * HOUR).sort((a, b) => a - b);
    for (const time of times) request(world, time, random);
  }
}

export function request(world: World, time: number, random: Random): void {
  let left = random() * TOTAL;
  const habit = HABITS.find((one) => (left -= one.weight) <= 0) ?? (HABITS[0] as Habit);
  const agent = world.agents.find((one) => one.name === habit.agent);
  const credential = world.credentials.find((one) => one.name === habit.credential);
  const grant = world.grants.find((one) => one.agent === habit.agent && one.credential === habit.credential);
  const shared = {
    agent: habit.agent,
    credential: habit.credential,
    service: credential?.service ?? null,
    grant: grant?.grant ?? null,
    host: habit.host,
  };
  const own_ms = 0.12 + random() * random() * 0.6;
  if (agent && time > Date.parse(agent.created)) agent.last_seen = iso(time);
  const live = agent?.state === 'active' && credential?.state === 'active' && grant && !world.paused;
  if (habit.refusals.length > 0 && random() < habit.refused) {
    const [method, path, code, reason] = pick(random, habit.refusals);
    remember(world, { ...shared, result: 'refused', code, reason, method, path, own_ms, total_ms: own_ms }, time);
    return;
  }
  if (time > Date.now() - 2000 && !live) {
    const frozen = credential?.state === 'frozen';
    const code = frozen ? 'credential_frozen' : 'policy_denied';
    const reason = frozen ? `${habit.credential} is frozen` : `${habit.agent} is paused`;
    remember(world, { ...shared, result: 'refused', code, reason, method: 'POST', path: habit.calls[0]?.[1] ?? '/', own_ms, total_ms: own_ms }, time);
    return;
  }
  const [method, path, model] = pick(random, habit.calls);
  const [tokensIn, tokensOut, ms] = habit.size;
  const scale = 0.25 + random() * random() * 3;
  const total_ms = ms * (0.35 + random() * random() * 2.6);
  const failed = random() < habit.failing;
  if (credential) credential.last_used = iso(time);
  const counted = model !== null && !failed;
  const tokens_in = counted ? Math.round(tokensIn * scale) : null;
  remember(
    world,
    {
      ...shared,
      result: failed && random() < 0.3 ? 'error' : 'done',
      code: null,
      method,
      path,
      status: failed ? pick(random, [429, 500, 529, 404]) : method === 'POST' && model === null ? 201 : 200,
      bytes_in: Math.round((tokens_in ?? 120) * 4.1),
      bytes_out: Math.round(counted ? tokensOut * scale * 5.3 : 900 + random() * 9000),
      model,
      tokens_in,
      tokens_out: counted ? Math.round(tokensOut * scale) : null,
      tokens_cached: tokens_in === null ? null : Math.round(tokens_in * random() * 0.7),
      own_ms,
      head_ms: own_ms + total_ms * (0.08 + random() * 0.25),
      total_ms: total_ms + own_ms,
    },
    time,
  );
}

/** A plain request by any agent that holds a grant, for worlds that the visitor made. */
function plainRequest(world: World): void {
  const grant = pick(world.random, world.grants);
  const service = world.services.find((one) => one.name === grant.service);
  const agent = world.agents.find((one) => one.name === grant.agent);
  const credential = world.credentials.find((one) => one.name === grant.credential);
  if (!service || agent?.state !== 'active' || credential?.state !== 'active' || world.paused) return;
  const time = Date.now();
  agent.last_seen = iso(time);
  credential.last_used = iso(time);
  const tokens_in = service.metered ? 900 + Math.round(world.random() * 4000) : null;
  remember(world, {
    agent: grant.agent,
    credential: grant.credential,
    service: grant.service,
    grant: grant.grant,
    host: new URL(service.base_url).host,
    result: 'done',
    method: 'POST',
    path: '/v1/messages',
    status: 200,
    bytes_in: 5200,
    bytes_out: 2100,
    model: service.metered ? 'claude-sonnet-4-6' : null,
    tokens_in,
    tokens_out: tokens_in === null ? null : Math.round(tokens_in / 9),
    tokens_cached: tokens_in === null ? null : 0,
    own_ms: 0.3,
    head_ms: 410,
    total_ms: 1200,
  });
}

/** A new request every second or two, as long as the vault is open. */
export function keepComing(world: World): void {
  const next = () => {
    if (world.vault === 'unlocked' && world.grants.length > 0) {
      if (world.agents.some((one) => one.name === 'claude-code' && one.last_seen !== null)) request(world, Date.now(), world.random);
      else plainRequest(world);
      world.changed('activity');
    }
    setTimeout(next, 900 + world.random() * 2200);
  };
  setTimeout(next, 2500);
}

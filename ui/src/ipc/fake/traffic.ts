/** Requests that never were: two months of them, and a new one every few seconds. */
import { HABITS, type Habit } from './habits';
import { pick, type Random } from './random';
import { iso, remember, type World } from './world';

const HOUR = 3_600_000;

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
    const count = Math.round(34 * awake * weekday * growth * (0.7 + random() * 0.6)) + (hour <= 3 ? 24 : 0);
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
  const recent = time > Date.now() - 12 * HOUR;
  if (agent && recent) agent.last_seen = iso(time);
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
    remember(
      world,
      {
        ...shared,
        result: 'refused',
        code,
        reason,
        method: 'POST',
        path: habit.calls[0]?.[1] ?? '/',
        own_ms,
        total_ms: own_ms,
      },
      time,
    );
    return;
  }
  const [method, path, model] = pick(random, habit.calls);
  const [tokensIn, tokensOut, ms] = habit.size;
  const scale = 0.25 + random() * random() * 3;
  const total_ms = ms * (0.35 + random() * random() * 2.6);
  const failed = random() < habit.failing;
  if (credential && recent) credential.last_used = iso(time);
  const counted = model !== null && !failed;
  const tokens_in = counted ? Math.round(tokensIn * scale) : null;
  remember(
    world,
    {
      ...shared,
      result: failed ? 'error' : 'done',
      code: null,
      method,
      path,
      status: failed
        ? pick(random, [429, 500, 529, 404])
        : method === 'POST' && !path.includes('messages') && model === null
          ? 201
          : 200,
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
      if (world.agents.some((one) => one.name === 'claude-code' && one.last_seen !== null))
        request(world, Date.now(), world.random);
      else plainRequest(world);
      world.changed('activity');
    }
    setTimeout(next, 900 + world.random() * 2200);
  };
  setTimeout(next, 2500);
}

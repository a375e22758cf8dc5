/** The fake credentials and services. */
import { CallError } from '../errors';
import type { AddCredentialRequest } from '../generated/AddCredentialRequest';
import type { AddServiceRequest } from '../generated/AddServiceRequest';
import type { CredentialAddedView } from '../generated/CredentialAddedView';
import type { CredentialView } from '../generated/CredentialView';
import type { RecognisedView } from '../generated/RecognisedView';
import { recognise as look, trimmed } from './catalogue';
import { mark } from './random';
import { act, DAY, found, iso, makeId, mustBeFree, type StoredCredential, type World } from './world';

export function credentialView(world: World, one: StoredCredential): CredentialView {
  const stored = Date.parse(one.rotated ?? one.created);
  const grants = world.grants
    .filter((grant) => grant.credential === one.name)
    .map(({ grant, agent }) => ({ grant, agent }));
  return { ...one, age_days: Math.floor((Date.now() - stored) / DAY), grants };
}

export function recognise(world: World, secret: string): RecognisedView {
  const bare = trimmed(secret);
  const hit = look(bare);
  const base = hit?.service ?? 'key';
  let name = base;
  for (let n = 2; world.credentials.some((one) => one.name === name); n += 1) name = `${base}-${n}`;
  const title = world.services.find((one) => one.name === hit?.service)?.title;
  return {
    service: hit?.service ?? null,
    service_title: title ?? null,
    label: hit?.label ?? null,
    suggested_name: name,
    trimmed: bare !== secret,
  };
}

export function addCredential(world: World, asked: AddCredentialRequest): CredentialAddedView {
  mustBeFree(world.credentials, asked.name, 'a credential');
  const service = found(world.services, asked.service, 'service');
  const bare = trimmed(asked.secret);
  if (bare.length < 4) throw new CallError('usage', 'The key is empty or too short to be one.', 'Paste the whole key.');
  const fingerprint = mark(bare);
  const duplicate = world.credentials.find((one) => one.fingerprint === fingerprint);
  const now = iso(Date.now());
  const id = makeId(world, 'cred');
  const kind = asked.kind ?? (service.auth === 'basic' ? 'basic' : 'api-key');
  world.credentials.push({
    name: asked.name,
    id,
    service: service.name,
    service_title: service.title,
    kind,
    fingerprint,
    state: 'active',
    version: 1,
    created: now,
    rotated: null,
    last_used: null,
    expires: asked.expires ? iso(Date.parse(asked.expires)) : null,
  });
  world.versions.set(id, [{ version: 1, stored: now, fingerprint, current: true }]);
  act(world, 'credential.add', { credential: asked.name });
  world.changed('credentials', 'activity');
  return { credential: asked.name, id, kind, fingerprint, duplicate_of: duplicate?.name ?? null };
}

export function rotate(
  world: World,
  name: string,
  secret: string,
  expires: string | null | undefined,
): CredentialAddedView {
  const one = found(world.credentials, name, 'credential');
  one.version += 1;
  one.fingerprint = mark(trimmed(secret));
  one.rotated = iso(Date.now());
  one.expires = expires ? iso(Date.parse(expires)) : null;
  const versions = (world.versions.get(one.id) ?? []).map((version) => ({ ...version, current: false }));
  world.versions.set(one.id, [
    { version: one.version, stored: one.rotated, fingerprint: one.fingerprint, current: true },
    ...versions,
  ]);
  act(world, 'credential.rotate', { credential: one.name });
  world.changed('credentials', 'activity');
  return { credential: one.name, id: one.id, kind: one.kind, fingerprint: one.fingerprint, duplicate_of: null };
}

export function setCredentialState(world: World, name: string, state: string, verb: string): CredentialView {
  const one = found(world.credentials, name, 'credential');
  if (one.state === 'revoked')
    throw new CallError(
      'conflict',
      `“${one.name}” is revoked; that cannot be undone.`,
      'Add the new key as a new credential.',
    );
  one.state = state;
  act(world, `credential.${verb}`, { credential: one.name });
  world.changed('credentials', 'activity');
  return credentialView(world, one);
}

export function removeCredential(world: World, name: string): void {
  const one = found(world.credentials, name, 'credential');
  world.credentials = world.credentials.filter((other) => other !== one);
  world.grants = world.grants.filter((grant) => grant.credential !== one.name);
  world.connections = world.connections.filter((other) => other.credential !== one.name);
  act(world, 'credential.remove', { credential: one.name });
  world.changed('credentials', 'grants', 'activity');
}

export function addService(
  world: World,
  asked: Partial<AddServiceRequest> & { name: string; base_url: string; auth: string },
) {
  mustBeFree(world.services, asked.name, 'a service');
  const url = URL.canParse(asked.base_url) ? new URL(asked.base_url) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CallError('usage', `“${asked.base_url}” is not a web address.`, 'It begins with https:// and a host.');
  if (url.protocol === 'http:' && !asked.allow_private) {
    throw new CallError(
      'usage',
      'Plain HTTP would show the credential to the network.',
      'Use https://, or mark the service as private if it runs on this machine.',
    );
  }
  const service = {
    name: asked.name,
    id: makeId(world, 'svc'),
    title: asked.name,
    base_url: asked.base_url,
    auth: asked.auth,
    allow_private: asked.allow_private ?? false,
    own_ca: Boolean(asked.ca_pem),
    built_in: false,
    metered: Boolean(asked.usage),
    console_url: '',
  };
  world.services.push(service);
  act(world, 'service.add', { service: asked.name });
  world.changed('services', 'activity');
  return service;
}

import { describe, expect, it } from 'vitest';
import type { Draft } from '../../app/connecting.svelte';
import type { DiscoveredView, ServiceView, TargetView } from '../../ipc';
import { chosenOf, flowOf, mustAsk, needsApp, offerOf } from './offer';

const DRAFT: Draft = {
  service: 'github',
  issuer: null,
  discovered: undefined,
  flow: null,
  scopes: null,
  typed: [],
  name: '',
  clientId: '',
  hadSecret: false,
  byHand: false,
  begun: null,
};
const SERVICE = { name: 'github', title: 'GitHub', base_url: 'https://api.github.com' } as ServiceView;
const TARGET: TargetView = {
  service: 'github',
  title: 'GitHub',
  flows: ['device', 'code'],
  issuer: 'https://github.com',
  scopes: [
    { name: 'repo', words: 'All repositories', risk: 'dangerous', preselected: false },
    { name: 'read:user', words: 'Profile', risk: 'read', preselected: true },
  ],
  registration: 'by-hand',
  console_url: 'https://github.com/settings/developers',
  private: false,
};
const SAID: DiscoveredView = {
  issuer: 'https://auth.example.com',
  other_issuers: [],
  flows: ['code'],
  registration: 'automatic',
  scopes: [],
  pushed_requests: false,
  dpop: false,
  supports_revocation: false,
};

describe('an offer', () => {
  it('preselects the least and nothing that reaches far', () => {
    const offer = offerOf(DRAFT, TARGET, SERVICE)!;
    expect(chosenOf(DRAFT, offer)).toEqual(['read:user']);
    expect(offer.scopes[0]?.name, 'least first').toBe('read:user');
    expect(flowOf(DRAFT, offer), 'the usual flow').toBe('device');
    expect(offer.host, 'where tokens go').toBe('api.github.com');
  });
  it('keeps a choice of nothing', () => {
    const offer = offerOf({ ...DRAFT, scopes: [] }, TARGET, SERVICE)!;
    expect(chosenOf({ ...DRAFT, scopes: [] }, offer)).toEqual([]);
  });
  it('believes the server before the catalogue', () => {
    const offer = offerOf({ ...DRAFT, discovered: SAID }, TARGET, SERVICE)!;
    expect([offer.issuer, offer.registration, offer.revocable]).toEqual([
      'https://auth.example.com',
      'automatic',
      false,
    ]);
    expect(needsApp(DRAFT, offer)).toBe(false);
  });
  it('does not keep a flow that is not offered', () => {
    const draft: Draft = { ...DRAFT, discovered: SAID, flow: 'device' };
    expect(flowOf(draft, offerOf(draft, TARGET, SERVICE)!)).toBe('code');
  });
  it('wants an app where the provider does, and where a server was wrong about it', () => {
    expect(needsApp(DRAFT, offerOf(DRAFT, TARGET, SERVICE)!)).toBe(true);
    const draft: Draft = { ...DRAFT, discovered: SAID, byHand: true };
    expect(needsApp(draft, offerOf(draft, TARGET, SERVICE)!)).toBe(true);
  });
  it('asks the server where the catalogue does not know', () => {
    expect(mustAsk(DRAFT, TARGET)).toBe(false);
    expect(mustAsk(DRAFT, undefined)).toBe(true);
    expect(mustAsk(DRAFT, { ...TARGET, scopes: [] })).toBe(true);
    expect(mustAsk(DRAFT, { ...TARGET, registration: 'unknown' })).toBe(true);
    expect(mustAsk({ ...DRAFT, discovered: SAID }, undefined)).toBe(false);
  });
});

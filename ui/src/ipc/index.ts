/** The one door between the page and the engine. Nothing outside this folder may import `@tauri-apps/*`. */
export { decide, mutate, query } from './client';
export { CallError, toCallError } from './errors';
export { onChanged, onNavigate } from './events';
export { forgetAnswers, live, type Live } from './live.svelte';
export { connect } from './transport';

export type { AgentTokenView } from './generated/AgentTokenView';
export type { AgentView } from './generated/AgentView';
export type { AuditRequest } from './generated/AuditRequest';
export type { AuditView } from './generated/AuditView';
export type { Code } from './generated/Code';
export type { CredentialView } from './generated/CredentialView';
export type { GrantView } from './generated/GrantView';
export type { KeychainState } from './generated/KeychainState';
export type { OverviewView } from './generated/OverviewView';
export type { ProposalView } from './generated/ProposalView';
export type { RecognisedView } from './generated/RecognisedView';
export type { SeriesPoint } from './generated/SeriesPoint';
export type { ServiceView } from './generated/ServiceView';
export type { SettingsView } from './generated/SettingsView';
export type { StatusView } from './generated/StatusView';
export type { Tag } from './generated/Tag';
export type { UsageRow } from './generated/UsageRow';
export type { WiringView } from './generated/WiringView';

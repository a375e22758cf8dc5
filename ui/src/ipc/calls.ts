/** Every call of the contract with what it takes and gives. Must not know how a call travels. */
import type { AddAgentRequest } from './generated/AddAgentRequest';
import type { AddCredentialRequest } from './generated/AddCredentialRequest';
import type { AddGrantRequest } from './generated/AddGrantRequest';
import type { AddServiceRequest } from './generated/AddServiceRequest';
import type { AgentTokenView } from './generated/AgentTokenView';
import type { AgentView } from './generated/AgentView';
import type { AuditPage } from './generated/AuditPage';
import type { AuditRequest } from './generated/AuditRequest';
import type { BeginRequest } from './generated/BeginRequest';
import type { AllowProposalRequest } from './generated/AllowProposalRequest';
import type { ChangePasswordRequest } from './generated/ChangePasswordRequest';
import type { ConnectionRequest } from './generated/ConnectionRequest';
import type { ConnectionView } from './generated/ConnectionView';
import type { ConnectionsRequest } from './generated/ConnectionsRequest';
import type { CreateRequest } from './generated/CreateRequest';
import type { CredentialAddedView } from './generated/CredentialAddedView';
import type { CredentialVersionView } from './generated/CredentialVersionView';
import type { CredentialView } from './generated/CredentialView';
import type { DisconnectedView } from './generated/DisconnectedView';
import type { DiscoverRequest } from './generated/DiscoverRequest';
import type { DiscoveredView } from './generated/DiscoveredView';
import type { DenyProposalRequest } from './generated/DenyProposalRequest';
import type { ExplainRequest } from './generated/ExplainRequest';
import type { ExplainView } from './generated/ExplainView';
import type { FlowId } from './generated/FlowId';
import type { FlowView } from './generated/FlowView';
import type { GrantView } from './generated/GrantView';
import type { InspectRequest } from './generated/InspectRequest';
import type { InspectedView } from './generated/InspectedView';
import type { KindView } from './generated/KindView';
import type { Named } from './generated/Named';
import type { Nothing } from './generated/Nothing';
import type { OverviewRequest } from './generated/OverviewRequest';
import type { OverviewView } from './generated/OverviewView';
import type { PrepareRequest } from './generated/PrepareRequest';
import type { PreparedView } from './generated/PreparedView';
import type { ProposalView } from './generated/ProposalView';
import type { RecogniseRequest } from './generated/RecogniseRequest';
import type { RecognisedView } from './generated/RecognisedView';
import type { ReconnectRequest } from './generated/ReconnectRequest';
import type { RecoveryView } from './generated/RecoveryView';
import type { RenewRecoveryRequest } from './generated/RenewRecoveryRequest';
import type { RotateCredentialRequest } from './generated/RotateCredentialRequest';
import type { ServiceView } from './generated/ServiceView';
import type { SetGrantRequest } from './generated/SetGrantRequest';
import type { SettingsView } from './generated/SettingsView';
import type { StatusView } from './generated/StatusView';
import type { TargetView } from './generated/TargetView';
import type { UnlockRequest } from './generated/UnlockRequest';
import type { UsageRequest } from './generated/UsageRequest';
import type { UsageRow } from './generated/UsageRow';
import type { VaultView } from './generated/VaultView';
import type { VerifyView } from './generated/VerifyView';
import type { WiringView } from './generated/WiringView';

export type Verb = 'query' | 'mutate' | 'decide';

/** What a caller writes: a field that may be null may also be left out, and so may the engine's defaults. */
export type Params<T> = { [K in keyof T as Optional<T[K]> extends true ? never : K]: T[K] } & {
  [K in keyof T as Optional<T[K]> extends true ? K : never]?: T[K];
};
type Optional<V> = null extends V ? true : V extends boolean ? true : false;

export interface Queries {
  'vault.status': [Nothing, StatusView];
  'service.list': [Nothing, ServiceView[]];
  'service.show': [Named, ServiceView];
  'credential.kinds': [Nothing, KindView[]];
  'credential.recognise': [RecogniseRequest, RecognisedView];
  'credential.list': [Nothing, CredentialView[]];
  'credential.show': [Named, CredentialView];
  'credential.history': [Named, CredentialVersionView[]];
  'agent.list': [Nothing, AgentView[]];
  'agent.show': [Named, AgentView];
  'agent.wiring': [Named, WiringView];
  'grant.list': [Nothing, GrantView[]];
  'grant.show': [Named, GrantView];
  'oauth.targets': [Nothing, TargetView[]];
  'oauth.discover': [DiscoverRequest, DiscoveredView];
  'oauth.flows': [Nothing, FlowView[]];
  'oauth.flow': [FlowId, FlowView];
  'oauth.status': [ConnectionsRequest, ConnectionView[]];
  'token.inspect': [InspectRequest, InspectedView];
  'proposal.list': [Nothing, ProposalView[]];
  'proposal.show': [Named, ProposalView];
  'policy.explain': [ExplainRequest, ExplainView];
  'usage.report': [UsageRequest, UsageRow[]];
  'usage.overview': [OverviewRequest, OverviewView];
  'audit.list': [AuditRequest, AuditPage];
  'audit.verify': [Nothing, VerifyView];
  'settings.show': [Nothing, SettingsView];
}

export interface Mutations {
  'vault.create': [CreateRequest, RecoveryView];
  /** A recovery key is spent by its use: the answer then holds the new one. */
  'vault.unlock': [UnlockRequest, VaultView | RecoveryView];
  'vault.lock': [Nothing, VaultView];
  'vault.change_password': [ChangePasswordRequest, VaultView];
  'vault.renew_recovery': [RenewRecoveryRequest, RecoveryView];
  'service.add': [AddServiceRequest, ServiceView];
  'service.remove': [Named, unknown];
  'credential.add': [AddCredentialRequest, CredentialAddedView];
  'credential.rotate': [RotateCredentialRequest, CredentialAddedView];
  'credential.revoke': [Named, unknown];
  'credential.freeze': [Named, unknown];
  'credential.unfreeze': [Named, unknown];
  'credential.remove': [Named, unknown];
  'agent.add': [AddAgentRequest, AgentTokenView];
  'agent.renew': [AddAgentRequest, AgentTokenView];
  'agent.revoke': [Named, unknown];
  'agent.pause': [Named, unknown];
  'agent.resume': [Named, unknown];
  'agent.pause_all': [Nothing, unknown];
  'agent.resume_all': [Nothing, unknown];
  'agent.remove': [Named, unknown];
  'grant.add': [AddGrantRequest, GrantView];
  'grant.set': [SetGrantRequest, GrantView];
  'grant.remove': [Named, unknown];
  'oauth.prepare': [PrepareRequest, PreparedView];
  'oauth.begin': [BeginRequest, FlowView];
  'oauth.cancel': [FlowId, unknown];
  'oauth.dismiss': [FlowId, unknown];
  'oauth.refresh': [ConnectionRequest, unknown];
  'oauth.reconnect': [ReconnectRequest, FlowView];
  'oauth.disconnect': [ConnectionRequest, DisconnectedView];
  'settings.set': [SettingsView, SettingsView];
}

/** Answers to an agent's question. */
export interface Decisions {
  'proposal.allow': [AllowProposalRequest, GrantView];
  'proposal.deny': [DenyProposalRequest, ProposalView];
}

type Table = Record<keyof Queries, 'query'> & Record<keyof Mutations, 'mutate'> & Record<keyof Decisions, 'decide'>;

/** Name → verb, compared with the engine's own table by a test. `agent.run_token` is the command line's alone. */
export const CALLS: Table = {
  'vault.status': 'query',
  'vault.create': 'mutate',
  'vault.unlock': 'mutate',
  'vault.lock': 'mutate',
  'vault.change_password': 'mutate',
  'vault.renew_recovery': 'mutate',
  'service.list': 'query',
  'service.show': 'query',
  'service.add': 'mutate',
  'service.remove': 'mutate',
  'credential.kinds': 'query',
  'credential.recognise': 'query',
  'credential.list': 'query',
  'credential.show': 'query',
  'credential.history': 'query',
  'credential.add': 'mutate',
  'credential.rotate': 'mutate',
  'credential.revoke': 'mutate',
  'credential.freeze': 'mutate',
  'credential.unfreeze': 'mutate',
  'credential.remove': 'mutate',
  'agent.list': 'query',
  'agent.show': 'query',
  'agent.wiring': 'query',
  'agent.add': 'mutate',
  'agent.renew': 'mutate',
  'agent.revoke': 'mutate',
  'agent.pause': 'mutate',
  'agent.resume': 'mutate',
  'agent.pause_all': 'mutate',
  'agent.resume_all': 'mutate',
  'agent.remove': 'mutate',
  'grant.list': 'query',
  'grant.show': 'query',
  'grant.add': 'mutate',
  'grant.set': 'mutate',
  'grant.remove': 'mutate',
  'oauth.targets': 'query',
  'oauth.discover': 'query',
  'oauth.prepare': 'mutate',
  'oauth.begin': 'mutate',
  'oauth.flows': 'query',
  'oauth.flow': 'query',
  'oauth.cancel': 'mutate',
  'oauth.dismiss': 'mutate',
  'oauth.status': 'query',
  'oauth.refresh': 'mutate',
  'oauth.reconnect': 'mutate',
  'oauth.disconnect': 'mutate',
  'token.inspect': 'query',
  'proposal.list': 'query',
  'proposal.show': 'query',
  'proposal.allow': 'decide',
  'proposal.deny': 'decide',
  'policy.explain': 'query',
  'usage.report': 'query',
  'usage.overview': 'query',
  'audit.list': 'query',
  'audit.verify': 'query',
  'settings.show': 'query',
  'settings.set': 'mutate',
};

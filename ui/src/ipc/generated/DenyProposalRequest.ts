export type DenyProposalRequest = { proposal: string, };

/** What each agent of the demo world usually does, and how often it is refused. */

export interface Habit {
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

export const HABITS: Habit[] = [
  {
    agent: 'claude-code',
    credential: 'anthropic-main',
    host: 'api.anthropic.com:443',
    weight: 46,
    failing: 0.012,
    refused: 0,
    calls: [
      ['POST', '/v1/messages', 'claude-sonnet-4-6'],
      ['POST', '/v1/messages', 'claude-opus-4-6'],
      ['POST', '/v1/messages', 'claude-haiku-4-5'],
      ['POST', '/v1/messages/count_tokens', null],
    ],
    size: [18_400, 920, 4_100],
    refusals: [],
  },
  {
    agent: 'claude-code',
    credential: 'github-bot',
    host: 'api.github.com:443',
    weight: 14,
    failing: 0.03,
    refused: 0.05,
    calls: [
      ['GET', '/repos/acme/ledger/pulls', null],
      ['GET', '/repos/acme/ledger/issues/412', null],
      ['POST', '/repos/acme/ledger/issues/412/comments', null],
      ['GET', '/repos/acme/site/contents/src/App.svelte', null],
    ],
    size: [0, 0, 240],
    refusals: [
      ['DELETE', '/repos/acme/ledger/branches/main', 'policy_denied', 'method DELETE is not among GET, POST'],
      ['GET', '/user/emails', 'policy_denied', 'path is outside /repos/acme/**'],
    ],
  },
  {
    agent: 'research-crew',
    credential: 'openai-research',
    host: 'api.openai.com:443',
    weight: 24,
    failing: 0.02,
    refused: 0.02,
    calls: [
      ['POST', '/v1/chat/completions', 'gpt-5.2'],
      ['POST', '/v1/chat/completions', 'gpt-5.2-mini'],
      ['POST', '/v1/embeddings', 'text-embedding-3-large'],
    ],
    size: [6_200, 540, 2_300],
    refusals: [
      ['GET', '/v1/models', 'policy_denied', 'method GET is not among POST'],
      ['POST', '/v1/chat/completions', 'rate_limited', 'more than 300 requests in a minute'],
    ],
  },
  {
    agent: 'research-crew',
    credential: 'gemini-lab',
    host: 'generativelanguage.googleapis.com:443',
    weight: 9,
    failing: 0.04,
    refused: 0,
    calls: [['POST', '/v1beta/models/gemini-3-pro:generateContent', 'gemini-3-pro']],
    size: [9_800, 700, 3_400],
    refusals: [],
  },
  {
    agent: 'invoice-bot',
    credential: 'stripe-test',
    host: 'api.stripe.com:443',
    weight: 11,
    failing: 0.02,
    refused: 0.06,
    calls: [
      ['GET', '/v1/invoices', null],
      ['POST', '/v1/invoices', null],
      ['GET', '/v1/customers/cus_QnT4', null],
    ],
    size: [0, 0, 310],
    refusals: [
      ['POST', '/v1/refunds', 'policy_denied', 'path is outside /v1/invoices/**, /v1/customers/**'],
      ['POST', '/v1/invoices', 'rate_limited', 'more than 30 requests in a minute'],
    ],
  },
  {
    agent: 'invoice-bot',
    credential: 'openai-prod',
    host: 'api.openai.com:443',
    weight: 6,
    failing: 0.01,
    refused: 0,
    calls: [['POST', '/v1/responses', 'gpt-5.2-mini']],
    size: [2_100, 310, 1_500],
    refusals: [],
  },
  {
    agent: 'codex',
    credential: 'openai-prod',
    host: 'api.openai.com:443',
    weight: 17,
    failing: 0.015,
    refused: 0,
    calls: [
      ['POST', '/v1/responses', 'gpt-5.2-codex'],
      ['GET', '/v1/models', null],
    ],
    size: [14_000, 1_150, 5_200],
    refusals: [],
  },
];

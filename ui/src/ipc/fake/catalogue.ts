/** The services of the demo world, and what their keys look like. */
import type { ServiceView } from '../generated/ServiceView';

type Row = [name: string, title: string, base: string, auth: string, metered: boolean, console: string];

const ROWS: Row[] = [
  [
    'anthropic',
    'Anthropic',
    'https://api.anthropic.com',
    'header:x-api-key',
    true,
    'https://platform.claude.com/settings/keys',
  ],
  ['openai', 'OpenAI', 'https://api.openai.com/v1', 'bearer', true, 'https://platform.openai.com/api-keys'],
  [
    'google_gemini',
    'Google Gemini',
    'https://generativelanguage.googleapis.com',
    'header:x-goog-api-key',
    true,
    'https://aistudio.google.com/apikey',
  ],
  ['mistral', 'Mistral', 'https://api.mistral.ai', 'bearer', true, 'https://console.mistral.ai/api-keys'],
  ['groq', 'Groq', 'https://api.groq.com/openai/v1', 'bearer', true, 'https://console.groq.com/keys'],
  ['openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', 'bearer', true, 'https://openrouter.ai/settings/keys'],
  ['github', 'GitHub', 'https://api.github.com', 'bearer', false, 'https://github.com/settings/tokens'],
  [
    'gitlab',
    'GitLab',
    'https://gitlab.com/api/v4',
    'header:private-token',
    false,
    'https://gitlab.com/-/user_settings/personal_access_tokens',
  ],
  ['stripe', 'Stripe', 'https://api.stripe.com', 'bearer', false, 'https://dashboard.stripe.com/apikeys'],
  [
    'linear',
    'Linear',
    'https://api.linear.app',
    'header:authorization',
    false,
    'https://linear.app/settings/account/security',
  ],
  ['notion', 'Notion', 'https://api.notion.com', 'bearer', false, 'https://www.notion.so/profile/integrations'],
  ['slack', 'Slack', 'https://slack.com/api', 'bearer', false, 'https://api.slack.com/apps'],
  [
    'jira',
    'Jira Cloud',
    'https://api.atlassian.com',
    'basic',
    false,
    'https://id.atlassian.com/manage-profile/security/api-tokens',
  ],
  ['sendgrid', 'SendGrid', 'https://api.sendgrid.com', 'bearer', false, 'https://app.sendgrid.com/settings/api_keys'],
  ['huggingface', 'Hugging Face', 'https://huggingface.co', 'bearer', false, 'https://huggingface.co/settings/tokens'],
  ['tavily', 'Tavily', 'https://api.tavily.com', 'bearer', false, 'https://app.tavily.com/home'],
];

const LOOKS: [service: string, label: string, looks: RegExp][] = [
  ['anthropic', 'API key', /^sk-ant-api03-[\w-]{8,}/],
  ['anthropic', 'admin key', /^sk-ant-admin01-[\w-]{8,}/],
  ['openrouter', 'API key', /^sk-or-v1-[0-9a-f]{8,}/],
  ['openai', 'project key', /^sk-proj-[\w-]{8,}/],
  ['openai', 'service account key', /^sk-svcacct-[\w-]{8,}/],
  ['google_gemini', 'API key', /^AIza[\w-]{8,}/],
  ['groq', 'API key', /^gsk_\w{8,}/],
  ['github', 'fine-grained token', /^github_pat_\w{8,}/],
  ['github', 'personal access token', /^ghp_\w{8,}/],
  ['gitlab', 'personal access token', /^glpat-[\w-]{8,}/],
  ['stripe', 'test secret key', /^sk_test_\w{8,}/],
  ['stripe', 'live secret key', /^sk_live_\w{8,}/],
  ['linear', 'API key', /^lin_api_\w{8,}/],
  ['notion', 'integration token', /^(ntn|secret)_\w{8,}/],
  ['slack', 'bot token', /^xoxb-[\w-]{8,}/],
  ['sendgrid', 'API key', /^SG\.[\w.-]{8,}/],
  ['huggingface', 'access token', /^hf_\w{8,}/],
  ['tavily', 'API key', /^tvly-[\w-]{8,}/],
];

export function catalogue(): ServiceView[] {
  return ROWS.map(([name, title, base_url, auth, metered, console_url]) => ({
    name,
    id: `svc_${name}`,
    title,
    base_url,
    auth,
    allow_private: false,
    own_ca: false,
    built_in: true,
    metered,
    console_url,
  }));
}

export function recognise(text: string): { service: string; label: string } | undefined {
  const hit = LOOKS.find(([, , looks]) => looks.test(text));
  return hit && { service: hit[0], label: hit[1] };
}

/** What is left of a pasted line when quotes, `NAME=` and white space are gone. */
export function trimmed(text: string): string {
  const bare = text.trim().replace(/^(export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*/, '');
  return bare.replace(/^(['"])(.*)\1$/s, '$2').trim();
}

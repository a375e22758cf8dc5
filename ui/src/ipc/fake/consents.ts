/** The services of the demo world that can be connected, with what their scopes allow. */
import type { ScopeView } from '../generated/ScopeView';
import type { TargetView } from '../generated/TargetView';

type Row = [name: string, words: string, risk: ScopeView['risk'], preselected?: boolean];

const scopes = (...rows: Row[]): ScopeView[] =>
  rows.map(([name, words, risk, preselected = false]) => ({ name, words, risk, preselected }));

export function targets(): TargetView[] {
  return [
    {
      service: 'github',
      title: 'GitHub',
      flows: ['device', 'code'],
      issuer: 'https://github.com/login/oauth',
      scopes: scopes(
        ['read:user', 'Read your profile', 'read', true],
        ['read:org', 'See which organisations and teams you belong to', 'read'],
        ['notifications', 'Read and clear your notifications', 'write'],
        ['repo', 'Read and change all your repositories, the private ones too', 'dangerous'],
        ['workflow', 'Change the workflows that run with your repositories’ secrets', 'dangerous'],
        ['delete_repo', 'Delete repositories', 'dangerous'],
      ),
      registration: 'by-hand',
      console_url: 'https://github.com/settings/developers',
      private: false,
    },
    {
      service: 'gitlab',
      title: 'GitLab',
      flows: ['code', 'device'],
      issuer: 'https://gitlab.com',
      scopes: scopes(
        ['read_user', 'Read your profile', 'read', true],
        ['read_api', 'Read everything your account can see', 'read', true],
        ['read_repository', 'Read the code of your projects', 'read'],
        ['write_repository', 'Push to your projects', 'write'],
        ['api', 'Do everything your account can do, through the API', 'dangerous'],
      ),
      registration: 'by-hand',
      console_url: 'https://gitlab.com/-/user_settings/applications',
      private: false,
    },
    {
      service: 'linear',
      title: 'Linear',
      flows: ['code'],
      issuer: 'https://linear.app',
      scopes: scopes(
        ['read', 'Read issues, projects and comments of your workspace', 'read', true],
        ['issues:create', 'Create issues', 'write'],
        ['comments:create', 'Write comments in your name', 'write'],
        ['write', 'Change anything in your workspace that you can change', 'write'],
        ['admin', 'Manage the workspace, its members and its settings', 'dangerous'],
      ),
      registration: 'automatic',
      console_url: null,
      private: false,
    },
    {
      service: 'notion',
      title: 'Notion',
      flows: ['code'],
      issuer: 'https://mcp.notion.com',
      scopes: [],
      registration: 'automatic',
      console_url: null,
      private: false,
    },
    {
      service: 'slack',
      title: 'Slack',
      flows: ['code'],
      issuer: 'https://slack.com',
      scopes: scopes(
        ['users:read', 'See who is in your workspace', 'read', true],
        ['channels:read', 'See the names of public channels', 'read', true],
        ['channels:history', 'Read messages in public channels', 'read'],
        ['chat:write', 'Send messages in your name', 'write'],
        ['im:history', 'Read your direct messages', 'dangerous'],
      ),
      registration: 'by-hand',
      console_url: 'https://api.slack.com/apps',
      private: false,
    },
    {
      service: 'jira',
      title: 'Jira Cloud',
      flows: ['code'],
      issuer: 'https://auth.atlassian.com',
      scopes: scopes(
        ['read:jira-work', 'Read projects, issues and attachments', 'read', true],
        ['offline_access', 'Stay connected without asking again', 'read', true],
        ['write:jira-work', 'Create and change issues', 'write'],
        ['manage:jira-project', 'Create and delete project settings', 'dangerous'],
      ),
      registration: 'by-hand',
      console_url: 'https://developer.atlassian.com/console/myapps/',
      private: false,
    },
    {
      service: 'huggingface',
      title: 'Hugging Face',
      flows: ['code', 'device'],
      issuer: 'https://huggingface.co',
      scopes: scopes(
        ['openid', 'Tell who you are', 'read', true],
        ['inference-api', 'Run models on your account', 'write', true],
        ['read-repos', 'Read your repositories, the private ones too', 'read'],
        ['write-repos', 'Change and create repositories', 'write'],
        ['manage-repos', 'Delete repositories and change who may see them', 'dangerous'],
      ),
      registration: 'automatic',
      console_url: null,
      private: false,
    },
    {
      service: 'billing-internal',
      title: 'billing-internal',
      flows: ['client-credentials', 'code'],
      issuer: 'https://login.corp.internal',
      scopes: scopes(['invoices.read', 'invoices.read', 'read', true], ['invoices.write', 'invoices.write', 'write']),
      registration: 'by-hand',
      console_url: null,
      private: true,
    },
  ];
}

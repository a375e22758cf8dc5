/** The lines that wire an agent, for each shell. Pure; values are quoted for the shell that reads them. */

export type Shell = 'sh' | 'fish' | 'powershell' | 'dotenv';

export const SHELLS: { value: Shell; label: string }[] = [
  { value: 'sh', label: 'bash, zsh' },
  { value: 'fish', label: 'fish' },
  { value: 'powershell', label: 'PowerShell' },
  { value: 'dotenv', label: '.env file' },
];

interface Variable {
  name: string;
  value: string;
  is_token: boolean;
}

const TOKEN = '${CLAVIGER_TOKEN}';

export function lines(variables: readonly Variable[], shell: Shell, token?: string): string {
  const first: Variable = { name: 'CLAVIGER_TOKEN', value: token ?? '<the agent’s token>', is_token: false };
  const named = shell === 'dotenv' ? variables : [first, ...variables];
  return named
    .map((one) => {
      const refers = one.is_token && one.value === TOKEN;
      if (shell === 'dotenv') return `${one.name}=${refers ? (token ?? '<agent token>') : one.value}`;
      if (shell === 'fish') return `set -gx ${one.name} ${refers ? '$CLAVIGER_TOKEN' : single(one.value, "\\'")}`;
      if (shell === 'powershell')
        return `$env:${one.name} = ${refers ? '$env:CLAVIGER_TOKEN' : single(one.value, "''")}`;
      return `export ${one.name}=${refers ? '"$CLAVIGER_TOKEN"' : single(one.value, "'\\''")}`;
    })
    .join('\n');
}

export function runLine(agent: string, command = 'claude'): string {
  return `claviger run ${agent} -- ${command}`;
}

function single(value: string, escaped: string): string {
  const safe = escaped === "\\'" ? value.replaceAll('\\', '\\\\') : value;
  return `'${safe.replaceAll("'", escaped)}'`;
}

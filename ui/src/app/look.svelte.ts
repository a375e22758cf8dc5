/** Light or dark, and the size of text: kept on this machine, apart from the vault. */
export type Theme = 'system' | 'light' | 'dark';
export type TextSize = '100' | '125' | '150' | '200';

export const THEMES: { value: Theme; label: string }[] = [
  { value: 'system', label: 'System' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

const dark = matchMedia('(prefers-color-scheme: dark)');
let theme = $state<Theme>(kept('theme', ['system', 'light', 'dark'], 'system'));
let text = $state<TextSize>(kept('text', ['100', '125', '150', '200'], '100'));
let systemDark = $state(dark.matches);
dark.addEventListener('change', () => (systemDark = dark.matches));
apply();

export const look = {
  get theme() {
    return theme;
  },
  set theme(to: Theme) {
    theme = to;
    keep('theme', to);
    apply();
  },
  get text() {
    return text;
  },
  set text(to: TextSize) {
    text = to;
    keep('text', to);
    apply();
  },
  /** The light in force, also as a reason to draw a canvas anew. */
  get light(): 'light' | 'dark' {
    return theme === 'system' ? (systemDark ? 'dark' : 'light') : theme;
  },
};

function apply(): void {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
  root.dataset.text = text;
}

export function kept<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  const value = localStorage.getItem(`claviger.${name}`);
  return allowed.includes(value as T) ? (value as T) : otherwise;
}

export function keep(name: string, value: string): void {
  localStorage.setItem(`claviger.${name}`, value);
}

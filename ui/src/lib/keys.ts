/** Which shortcut a key press is. Pure. */

export type Shortcut =
  { kind: 'palette' } | { kind: 'search' } | { kind: 'help' } | { kind: 'lock' } | { kind: 'view'; index: number };

interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

export function shortcut(press: Press, typing: boolean): Shortcut | undefined {
  const command = press.ctrlKey || press.metaKey;
  if (command && !press.altKey && press.key.toLowerCase() === 'k') return { kind: 'palette' };
  if (command && !press.altKey && press.key.toLowerCase() === 'l') return { kind: 'lock' };
  if (command || press.altKey || typing) return undefined;
  if (press.key === '/') return { kind: 'search' };
  if (press.key === '?') return { kind: 'help' };
  if (/^[1-9]$/.test(press.key)) return { kind: 'view', index: Number(press.key) - 1 };
  return undefined;
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'range'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Short words about what was done, with a way back where there is one. */
import { toCallError } from '../ipc';

export interface Toast {
  id: number;
  tone: 'done' | 'problem';
  text: string;
  hint: string;
  undo: (() => Promise<unknown>) | undefined;
}

export const UNDO_MS = 10_000;
const STAY_MS = 4_500;

let next = 0;
export const toasts = $state<Toast[]>([]);

export function say(text: string, undo?: () => Promise<unknown>): void {
  show({ tone: 'done', text, hint: '', undo });
}

export function complain(thrown: unknown): void {
  const error = toCallError(thrown);
  problem(error.message, error.hint);
}

export function problem(text: string, hint: string): void {
  show({ tone: 'problem', text, hint, undo: undefined });
}

export function dismiss(id: number): void {
  const at = toasts.findIndex((one) => one.id === id);
  if (at >= 0) toasts.splice(at, 1);
}

/** Does it, says so, and offers the way back. Gives false when it failed, which has been said. */
export async function attempt(
  work: () => Promise<unknown>,
  done: string,
  undo?: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await work();
    say(done, undo);
    return true;
  } catch (thrown) {
    complain(thrown);
    return false;
  }
}

function show(toast: Omit<Toast, 'id'>): void {
  next += 1;
  const id = next;
  toasts.push({ id, ...toast });
  if (toasts.length > 4) toasts.shift();
  if (toast.tone === 'done') setTimeout(() => dismiss(id), toast.undo ? UNDO_MS : STAY_MS);
}

/** How a failed call reaches a view: a code to branch on, what happened, what to do. Must not know any view. */
import { sentence } from '../lib/sentence';
import type { ApiError } from './generated/ApiError';
import type { Code } from './generated/Code';

export class CallError extends Error {
  readonly code: Code;
  /** What to do; empty when there is nothing to do. */
  readonly hint: string;

  constructor(code: Code, message: string, hint = '') {
    super(message);
    this.name = 'CallError';
    this.code = code;
    this.hint = hint;
  }
}

/** Whatever a transport threw, as a `CallError`. Unknown shapes are not shown: they may hold anything. */
export function toCallError(thrown: unknown): CallError {
  if (thrown instanceof CallError) return thrown;
  if (isApiError(thrown)) return new CallError(thrown.code, sentence(thrown.message), sentence(thrown.hint));
  return new CallError(
    'unexpected',
    'Claviger’s engine gave an answer this window cannot read.',
    'Restart Claviger. If it happens again, report what you were doing.',
  );
}

function isApiError(value: unknown): value is ApiError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message, hint } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string' && typeof hint === 'string';
}

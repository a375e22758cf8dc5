/** What carries calls and events: the real bridge, or the fake one in a plain browser. */
import type { Verb } from './calls';
import type { Tag } from './generated/Tag';

export interface Transport {
  call(verb: Verb, name: string, params: unknown): Promise<unknown>;
  /** Calls back with the tags of what changed. */
  onChanged(heard: (tags: Tag[]) => void): void;
  /** Calls back when the tray or a notification asks for a view. */
  onNavigate(heard: (view: string) => void): void;
  /** Puts a secret on the clipboard, and takes it off after a while if it is still there. */
  copySecret(text: string): Promise<void>;
}

let transport: Transport | undefined;

export function connect(to: Transport): void {
  transport = to;
}

export function connected(): Transport {
  if (!transport) throw new Error('no transport is connected');
  return transport;
}

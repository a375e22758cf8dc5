/** Who wants to know when what changes. Events carry tags alone; whoever shows the thing asks again. */
import type { Tag } from './generated/Tag';
import { connected } from './transport';

type Heard = (tags: ReadonlySet<Tag>) => void;

const listeners = new Set<Heard>();
let attached = false;

/** Hears of every change until the returned function is called. */
export function onChanged(heard: Heard): () => void {
  attach();
  listeners.add(heard);
  return () => listeners.delete(heard);
}

export function onNavigate(heard: (view: string) => void): void {
  connected().onNavigate(heard);
}

function attach(): void {
  if (attached) return;
  attached = true;
  connected().onChanged((tags) => {
    const set = new Set(tags);
    for (const heard of [...listeners]) heard(set);
  });
}

/** What several places in the shell can do. */
import { mutate } from '../ipc';
import { attempt, complain } from './toasts.svelte';

export async function lock(): Promise<void> {
  await mutate('vault.lock').catch(complain);
}

export function setPaused(paused: boolean): Promise<boolean> {
  const pause = () => mutate('agent.pause_all');
  const resume = () => mutate('agent.resume_all');
  return paused
    ? attempt(pause, 'All agents are paused. Their requests are refused.', resume)
    : attempt(resume, 'All agents may work again.', pause);
}

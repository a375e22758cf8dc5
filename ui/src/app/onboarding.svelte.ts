/** How far first run has come. Kept over a restart; holds no secret. */
import { keep, kept } from './look.svelte';

const STEPS = ['none', 'recovery', 'credential', 'agent'] as const;
export type Step = (typeof STEPS)[number];

const before = kept('onboarding', STEPS, 'none');
// A recovery key is shown once: after a restart it is gone, and first run goes on behind it.
let step = $state<Step>(before === 'recovery' ? 'credential' : before);

/** Whether the key went unseen: the window was closed before it was confirmed. */
const keyLost = before === 'recovery';

export const onboarding = {
  keyLost,
  get step() {
    return step;
  },
  set step(to: Step) {
    step = to;
    keep('onboarding', to);
  },
};

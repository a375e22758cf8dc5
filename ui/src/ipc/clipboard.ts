/** A secret on the clipboard, for a while. The page alone can put it there and never take it away, so the shell does both. */
import { toCallError } from './errors';
import { connected } from './transport';

/** How long it stays, in seconds, unless something else is copied before. The shell has the same figure. */
export const SECRET_STAYS = 60;

export async function copySecret(text: string): Promise<number> {
  try {
    await connected().copySecret(text);
    return SECRET_STAYS;
  } catch (thrown) {
    throw toCallError(thrown);
  }
}

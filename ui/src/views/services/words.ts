/** Where a service takes its key, in words. Pure. */
import { visible } from '../../lib/safe';

export function authWords(auth: string): string {
  if (auth === 'bearer') return 'Authorization: Bearer';
  if (auth === 'basic') return 'Basic (user and password)';
  const [slot, name = ''] = auth.split(':');
  if (slot === 'header') return visible(name, 60);
  if (slot === 'query') return `?${visible(name, 60)}=`;
  return visible(auth, 60);
}

/** Material in the shape the contract takes it. Pure. */

export function asMaterial(basic: boolean, username: string, typed: string): string {
  return basic ? JSON.stringify({ username, password: typed }) : typed;
}

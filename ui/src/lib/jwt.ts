/** A JSON Web Token in what was pasted. Pure; what it says is read by the engine. */

const JWT = /^(?:(?:export\s+)?[A-Za-z_]\w*\s*=\s*)?['"]?(?:Bearer\s+)?(ey[\w-]{8,}\.[\w-]{4,}\.[\w-]*)['"]?$/;

/** The token alone, when the text has its shape: three parts in base64url, the first of which begins a JSON object. */
export function jwtIn(text: string): string | null {
  return JWT.exec(text.trim())?.[1] ?? null;
}

/** The day of its end as a form takes it; empty when it ends before the next day begins, for a form takes days alone. */
export function endDay(expires: string | null, now: number): string {
  if (expires === null) return '';
  const at = Date.parse(expires);
  if (Number.isNaN(at)) return '';
  const day = new Date(at).toISOString().slice(0, 10);
  return Date.parse(`${day}T00:00:00Z`) > now ? day : '';
}

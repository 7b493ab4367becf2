import { createHash, timingSafeEqual } from "node:crypto";

/**
 * True if a request shows the token, as `Authorization: Bearer TOKEN`. How long the comparison takes says nothing of how
 * much of a guess was right, nor of the token's length.
 */
export function showsToken(authorization: string | undefined, token: string): boolean {
  const [, shown] = /^Bearer (.+)$/i.exec(authorization ?? "") ?? [];
  return shown !== undefined && timingSafeEqual(digest(shown), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

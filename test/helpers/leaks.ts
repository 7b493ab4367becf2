import { Buffer } from "node:buffer";

/** The forms of a secret that a text holds: as it is, as encoders and dumps make it, or as a part of what they encode. */
export function leaksIn(text: string, secret: string): readonly string[] {
  return formsOf(secret).filter((form) => text.includes(form));
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString("hex"),
    [...bytes].join(","),
    ...[0, 1, 2].flatMap((before) => insideBase64(bytes, before)),
  ];
}

/** What of it stands in base64 whatever is around it, behind so many bytes modulo 3. */
function insideBase64(secret: Buffer, before: number): readonly string[] {
  const whole = Buffer.concat([Buffer.alloc(before), secret]);
  const first = before === 0 ? 0 : 3;
  const inside = whole.subarray(first, whole.length - (whole.length % 3));
  return [inside.toString("base64"), inside.toString("base64url")];
}

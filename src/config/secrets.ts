/**
 * Keeps secrets out of everything that is printed. Two nets, since each has holes: the values that the configuration
 * knows to be secret, in every form they are likely to take, and the places in a text where secrets tend to stand.
 */

export const MASK = "***";

/** Shorter ones would mask half of every log line; they are masked by their place only. */
const SHORTEST_BY_VALUE = 4;

/** For the whole process, because errors and logs from any part may repeat a secret. */
const secrets = new Set<string>();
/** The forms that secrets and tokens take. Longest first. */
let knownForms: readonly string[] = [];

/** From now on `maskSecrets` hides this value wherever it stands. */
export function rememberSecret(value: string): void {
  if (value.length < SHORTEST_BY_VALUE || secrets.has(value)) return;
  secrets.add(value);
  findForms();
}

/** Tokens come and go: the last ones are enough, and as many as a process gets in a year would make it slow. */
const TOKENS_REMEMBERED = 8;
/** Oldest first. */
const tokens: string[] = [];

/** The same for one of many that follow each other. Each takes the place of an older one. */
export function rememberToken(value: string): void {
  if (value.length < SHORTEST_BY_VALUE || tokens.includes(value)) return;
  tokens.push(value);
  if (tokens.length > TOKENS_REMEMBERED) tokens.shift();
  findForms();
}

function findForms(): void {
  const forms = new Set([...secrets, ...tokens].flatMap(formsOf));
  knownForms = [...forms].sort((a, b) => b.length - a.length);
}

/** The same for the user information of a URI, as it is written and decoded. */
export function rememberUriSecrets(uri: string): void {
  const password = passwordOf(uri);
  if (password === undefined) return;
  rememberSecret(password);
  const decoded = percentDecoded(password);
  if (decoded !== undefined) rememberSecret(decoded);
}

/** The text with every known secret, and everything that looks like one by its place, replaced by ***. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const form of knownForms) masked = masked.replaceAll(form, MASK);
  for (const [pattern, replacement] of PLACES) masked = masked.replace(pattern, replacement);
  return masked;
}

/** A URI with its password masked, whatever characters the password holds. */
export function maskUri(uri: string): string {
  const password = passwordOf(uri);
  return maskSecrets(password === undefined || password === "" ? uri : uri.replace(`:${password}@`, `:${MASK}@`));
}

/** Everything between the first colon of the user information and the last @ before the query. */
function passwordOf(uri: string): string | undefined {
  const rest = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/is.exec(uri)?.[1];
  if (rest === undefined) return undefined;
  const at = rest.lastIndexOf("@");
  const colon = rest.indexOf(":");
  return at < 0 || colon < 0 || colon > at ? undefined : rest.slice(colon + 1, at);
}

/** A secret as it is, and as it comes out of a JSON line, a URI or a base64 encoder. */
function formsOf(secret: string): string[] {
  const percentEncoded = encodeURIComponent(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    percentEncoded,
    percentEncoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    // What encodeURIComponent leaves alone, other encoders don't.
    encodeStrictly(percentEncoded),
    Buffer.from(secret).toString("base64"),
  ].filter((form) => form.length >= SHORTEST_BY_VALUE);
}

function encodeStrictly(percentEncoded: string): string {
  return percentEncoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const PLACES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)/gs, `-----BEGIN $1-----${MASK}`],
  // A JSON web token, as OAuth's are: `{"` in base64 begins with eyJ.
  [/\beyJ[\w-]{8,}\.eyJ[\w-]+\.[\w-]*/g, MASK],
  // user:password@ with a scheme before it, up to the last @: a password may hold one that should have been encoded.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@"<>`]*):[^\s"<>`]*@/gi, `$1:${MASK}@`],
  // The same without a scheme, as in a list of brokers.
  [/(^|[\s,"'])([\w.%+-]+):(?!\/\/)[^\s:,@"'<>`]+@/g, `$1$2:${MASK}@`],
  [
    /((?:passw(?:or)?d|passphrase|secret|token|pwd)\\?["']?(?:=|(?<=["'])\s*:\s*)\\?["']?)(?!\*\*\*)[^\s"'\\&,;}]+/gi,
    `$1${MASK}`,
  ],
];

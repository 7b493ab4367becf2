import type { AuthenticationProvider } from "kafkajs/src/cluster/index.js";
import { messageOf, SpillwayError } from "../../errors.ts";
import { withDeadline } from "../../runtime/deadline.ts";
import type { BearerToken, TokenLogin } from "../options.ts";

const SEPARATOR = "\u0001";

/**
 * Logs in by OAUTHBEARER (RFC 7628) in the place of KafkaJS's own, which takes any answer for success: a broker refuses
 * a token by an answer without an error code, and only the next request would fail, as if the broker had gone.
 */
export function oauthBearerLogin(
  { oauthBearerProvider }: TokenLogin,
  { deadlineMs }: { readonly deadlineMs: number },
): AuthenticationProvider {
  return ({ host, port, saslAuthenticate }) => ({
    authenticate: async () => {
      const token = await withDeadline(tokenOf(oauthBearerProvider), deadlineMs, "Getting a token for the brokers");
      const refusal = await saslAuthenticate({ request: { encode: async () => initialResponse(token) }, response });
      if (refusal === "") return;
      const broker = `${host}:${port}`;
      throw new SpillwayError("AUTHENTICATION_FAILED", `Broker ${broker} refused the token: ${refusal}`, {
        context: { broker, hint: "Check that it has not expired, and its issuer, audience and scope" },
      });
    },
  });
}

async function tokenOf(provider: TokenLogin["oauthBearerProvider"]): Promise<BearerToken> {
  try {
    return await provider();
  } catch (cause) {
    if (cause instanceof SpillwayError) throw cause;
    const message = `There is no token to log in to the brokers with: ${messageOf(cause)}`;
    throw new SpillwayError("AUTHENTICATION_FAILED", message, { cause });
  }
}

/** The bytes behind their length, as KafkaJS wants them. */
function initialResponse({ value, extensions = {} }: BearerToken): Buffer {
  const pairs = [`auth=Bearer ${value}`, ...Object.entries(extensions).map(([name, text]) => `${name}=${text}`)];
  const bytes = Buffer.from(`n,,${SEPARATOR}${pairs.join(SEPARATOR)}${SEPARATOR}${SEPARATOR}`, "utf8");
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Empty where the broker is content, else JSON that says why it isn't. The first four bytes are the length. */
const response = {
  decode: async (bytes: Buffer) => bytes.subarray(4).toString("utf8"),
  parse: async (text: string) => text,
};

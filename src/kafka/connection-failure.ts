import { messageOf, SpillwayError } from "../errors.ts";
import { type TlsRefusal, tlsRefusalOf } from "../runtime/tls-refusal.ts";

/**
 * What a failed connection, login or exchange means. A refusal that no retry changes is AUTHENTICATION_FAILED: a wrong
 * password, a certificate that one side doesn't trust. All else may pass: BROKER_UNREACHABLE, retryable.
 */
export function connectionFailure(cause: unknown, request: string, broker: string): SpillwayError {
  if (cause instanceof SpillwayError) return cause;
  const code = codeOf(cause);
  const why = refusalOf(cause, code);
  if (why !== undefined) {
    const message = `Broker ${broker} ${why.what}: ${reasonOf(cause)}`;
    return new SpillwayError("AUTHENTICATION_FAILED", message, { cause, context: { broker, hint: why.hint } });
  }
  return new SpillwayError("BROKER_UNREACHABLE", `${request} to broker ${broker} failed: ${reasonOf(cause)}`, {
    cause,
    retryable: true,
    context: { broker },
  });
}

/**
 * The same error, with a hint where brokers close connections from the start: that is all they say to whoever comes
 * without the TLS or the login that a listener wants, or with TLS to one that has none.
 */
export function withSuspicion(error: unknown): unknown {
  if (!(error instanceof SpillwayError) || error.code !== "BROKER_UNREACHABLE") return error;
  const { cause, message, retryable, context } = error;
  const isClosed =
    cause instanceof Error && (cause.name === "KafkaJSConnectionClosedError" || codeOf(cause) === "ECONNRESET");
  if (!isClosed) return error;
  const hint = "Check whether this listener wants TLS (kafka.ssl.enabled) and a login (kafka.sasl.mechanism)";
  return new SpillwayError("BROKER_UNREACHABLE", message, { cause, retryable, context: { ...context, hint } });
}

/** True where another broker would refuse just the same. */
export function isFinal(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "AUTHENTICATION_FAILED" && !error.retryable;
}

interface Refusal {
  readonly what: string;
  readonly hint: string;
}

/** Kafka's codes of a refused login. */
const [UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED] = [33, 34, 58];

function refusalOf(cause: unknown, code: unknown): Refusal | undefined {
  const name = cause instanceof Error ? cause.name : "";
  if (code === UNSUPPORTED_SASL_MECHANISM) {
    return { what: "does not take this mechanism", hint: "Choose another kafka.sasl.mechanism" };
  }
  if (code === ILLEGAL_SASL_STATE) {
    return { what: "takes no login here", hint: "Check the port, or leave kafka.sasl out" };
  }
  if (name.includes("SASL") || code === SASL_AUTHENTICATION_FAILED) {
    return { what: "refused the login", hint: "Check the SASL mechanism, user name and password" };
  }
  const refusal = tlsRefusalOf(code);
  return refusal && TLS_REFUSALS[refusal];
}

const TLS_REFUSALS: Readonly<Record<TlsRefusal, Refusal>> = {
  untrusted: {
    what: "shows a certificate that is not trusted",
    hint: "Name the authority that issued it by kafka.ssl.caFile (--ssl-ca-file), and check that it has not expired",
  },
  "other-name": {
    what: "shows a certificate for another name",
    hint: "Reach the broker by a name in its certificate: in kafka.brokers, and in its advertised.listeners",
  },
  client: {
    what: "refused the certificate of this client",
    hint: "Give one that it trusts by kafka.ssl.certFile and kafka.ssl.keyFile, and check that it has not expired",
  },
  "no-tls": { what: "does not speak TLS", hint: "Check the port, or turn kafka.ssl.enabled off" },
};

/** OpenSSL tells where in its sources it was, too. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  const [, reason] = /error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):/.exec(message) ?? [];
  return reason ?? message;
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

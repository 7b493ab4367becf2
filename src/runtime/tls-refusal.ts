/**
 * Why a TLS handshake was refused, where no retry changes it:
 * - `untrusted`: the server's certificate was issued by nobody we trust, or is out of date
 * - `other-name`: the server's certificate is for another name than the one it was reached by
 * - `client`: the server doesn't trust our certificate, or wants one
 * - `no-tls`: the server doesn't speak TLS
 */
export type TlsRefusal = "untrusted" | "other-name" | "client" | "no-tls";

/** @param code of an error, as Node and OpenSSL name it. https://nodejs.org/api/tls.html#x509-certificate-error-codes */
export function tlsRefusalOf(code: unknown): TlsRefusal | undefined {
  if (typeof code !== "string") return undefined;
  if (UNTRUSTED.has(code)) return "untrusted";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "other-name";
  // What the other side of the handshake complains of arrives as an alert, which OpenSSL names.
  if (/^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return "client";
  return code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" ? "no-tls" : undefined;
}

/** Node's names for what OpenSSL finds wrong with a chain of certificates. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

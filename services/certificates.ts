import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { isErrorCode } from "./command.ts";
import { MissingPrerequisite } from "./errors.ts";

const run = promisify(execFile);
/** As many days as a run can take: nobody is to use them for anything else. */
const DAYS = "2";
const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** PEM files. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority {
  readonly caFile: string;
  /**
   * A certificate and its private key (PKCS #8).
   * @param names as `subjectAltName` has them, such as IP:127.0.0.1; none for a client
   * @param passphrase that the key is encrypted with
   */
  issue(name: string, options?: { readonly names?: string; readonly passphrase?: string }): Promise<CertificateFiles>;
}

/** A certificate authority of its own in a folder, by OpenSSL 3. */
export async function makeAuthority(directory: string, name: string): Promise<Authority> {
  const [caFile, caKey] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-days", DAYS];
  const isAuthority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  await openssl(["req", "-x509", ...EC_KEY, "-nodes", "-keyout", caKey, "-out", caFile, ...subject, ...isAuthority]);
  return {
    caFile,
    async issue(issued, { names, passphrase } = {}) {
      const files = { certFile: join(directory, `${issued}.pem`), keyFile: join(directory, `${issued}.key`) };
      // By environment: arguments are for everybody to read.
      const encryption = passphrase === undefined ? ["-nodes"] : ["-passout", "env:PASSPHRASE"];
      await openssl(
        [
          ...["req", "-x509", "-CA", caFile, "-CAkey", caKey, ...EC_KEY, ...encryption],
          ...["-keyout", files.keyFile, "-out", files.certFile, "-subj", `/CN=${issued}`, "-days", DAYS],
          ...["-addext", "basicConstraints=critical,CA:FALSE"],
          ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
        ],
        passphrase,
      );
      return files;
    },
  };
}

/** One file with key and certificate, as Kafka's PEM key stores are. */
export function keyStore({ certFile, keyFile }: CertificateFiles, file: string): string {
  writeFileSync(file, readFileSync(keyFile, "utf8") + readFileSync(certFile, "utf8"), { mode: 0o600 });
  return file;
}

async function openssl(args: readonly string[], passphrase?: string): Promise<void> {
  const env = passphrase === undefined ? process.env : { ...process.env, PASSPHRASE: passphrase };
  try {
    await run("openssl", args, { env, timeout: 60_000 });
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) throw new MissingPrerequisite("OpenSSL", "there is no program openssl");
    throw error;
  }
}

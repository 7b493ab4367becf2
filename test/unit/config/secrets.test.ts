import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { loadConfig } from "../../../src/config/config.ts";
import { OPTION_KEYS, type OptionKey } from "../../../src/config/option-table.ts";
import { maskSecrets, maskUri, rememberSecret, rememberToken } from "../../../src/config/secrets.ts";
import { readYaml } from "../../../src/config/yaml-file.ts";
import { messageOf } from "../../../src/errors.ts";

describe("secrets are masked by their place", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["mongodb://me:hunter2@h", "mongodb://me:***@h"],
    ["mongodb://me:hunter2@h1:1,h2:2/db?w=1", "mongodb://me:***@h1:1,h2:2/db?w=1"],
    ["mongodb+srv://me:p%40w%2F@h", "mongodb+srv://me:***@h"],
    ["mongodb://me:p@w@h", "mongodb://me:***@h"],
    ["mongodb://me:p/w@h", "mongodb://me:***@h"],
    ["connect to mongodb://me:a@h1, or mongodb://me:b@h2", "connect to mongodb://me:***@h1, or mongodb://me:***@h2"],
    ['{"url":"mongodb://me:hunter2@h","n":1}', '{"url":"mongodb://me:***@h","n":1}'],
    ["brokers me:hunter2@h:9092", "brokers me:***@h:9092"],
    [
      "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:x&tlsCertificateKeyFilePassword=hunter2",
      "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:x&tlsCertificateKeyFilePassword=***",
    ],
    ["--sasl-password=hunter2 --x", "--sasl-password=*** --x"],
    ['{"password":"hunter2","user":"me"}', '{"password":"***","user":"me"}'],
    ["a -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- b", "a -----BEGIN PRIVATE KEY-----*** b"],
    ["got eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.abc-_d, it says", "got ***, it says"],
    ["-----BEGIN RSA PRIVATE KEY-----\\nabc", "-----BEGIN RSA PRIVATE KEY-----***"],
  ];
  for (const [text, masked] of cases) test(masked, () => assert.equal(maskSecrets(text), masked));

  test("what is no secret stays", () => {
    for (const text of [
      "http://127.0.0.1:8080/a?b=c",
      "mongodb://h1:27017,h2:27017/db",
      "10:15:00 topic prices, partition 3, offset 17",
      "kafka.sasl.password is not set; set it by SPILLWAY_SASL_PASSWORD",
      "mail me@example.org",
      "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ]) {
      assert.equal(maskSecrets(text), text);
    }
  });

  test("a URI's password may hold anything", () => {
    assert.equal(maskUri("mongodb://me:a b\"c'@:/?@h:1/db"), "mongodb://me:***@h:1/db");
  });
});

test("of tokens that follow each other the last ones are known, and a secret for ever", () => {
  rememberSecret("lasting-secret");
  for (let i = 0; i < 100; i++) {
    rememberToken(`token-number-${i}-`);
    assert.equal(maskSecrets(`a token-number-${i}- b`), "a *** b");
  }
  assert.equal(maskSecrets("token-number-98- lasting-secret"), "*** ***");
  assert.equal(maskSecrets("token-number-5-"), "token-number-5-", "what is known is bounded");
});

test("known secrets are masked in each form they take", () => {
  const secret = 'p@ss "w/rd"!é';
  rememberSecret(secret);
  for (const form of [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    encodeURIComponent(secret).replace("!", "%21"),
    JSON.stringify(secret),
    Buffer.from(secret).toString("base64"),
  ]) {
    const masked = maskSecrets(`before ${form} after`);
    assert.match(masked, /^before "?\*\*\*"? after$/);
  }
});

describe("no planted secret survives in any output", () => {
  // Long and odd enough not to be part of an honest word.
  const secrets = fc
    .string({ unit: "binary-ascii", minLength: 6, maxLength: 24 })
    .map((noise) => `s3c-${noise.replaceAll(/[\r\n\0]/g, "_")}`);

  function outputOf(work: () => unknown): string {
    try {
      return JSON.stringify(work());
    } catch (error) {
      return messageOf(error);
    }
  }

  function assertHidden(secret: string, output: string): void {
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    for (const form of forms) assert.ok(!output.includes(form), `${JSON.stringify(form)} is in ${output}`);
  }

  test("from the environment, in settings and in messages", () => {
    fc.assert(
      fc.property(secrets, fc.boolean(), fc.boolean(), (secret, encoded, isWrong) => {
        const password = encoded ? encodeURIComponent(secret) : secret;
        const environment = {
          SPILLWAY_SASL_PASSWORD: secret,
          SPILLWAY_SSL_KEY_PASSPHRASE: `x${secret}`,
          SPILLWAY_MONGO_URL: `mongodb://me:${password}@h1,h2:1/db`,
          SPILLWAY_BROKERS: `me:${secret}@h:1`,
          SPILLWAY_RELAY_SOURCE: secret,
          ...(isWrong ? { SPILLWAY_SINK_LANES: secret } : {}),
        };
        assertHidden(
          secret,
          outputOf(() => loadConfig({ environment, flags: new Map() })),
        );
      }),
    );
  });

  test("from any option, whatever it was put into by mistake", () => {
    fc.assert(
      fc.property(secrets, fc.constantFrom(...OPTION_KEYS), (secret, key) => {
        const flags = new Map<OptionKey, unknown>([[key, `mongodb://me:${encodeURIComponent(secret)}@h`]]);
        assertHidden(
          secret,
          outputOf(() => loadConfig({ environment: {}, flags }).settings),
        );
      }),
    );
  });

  test("from a YAML file, even one that can't be read", () => {
    const broken = ["", "  - [", "\n *", "\n\t- x: :", '"', "\n!!binary "];
    fc.assert(
      fc.property(secrets, fc.constantFrom(...broken), fc.constantFrom("password", "pasword"), (secret, end, key) => {
        for (const written of [secret, JSON.stringify(secret), `*${secret}`, `&${secret} x`, `!${secret} x`]) {
          const { problems } = readYaml("f.yaml", `kafka:\n  sasl:\n    ${key}: ${written}${end}\n`);
          assertHidden(secret, problems.join("\n"));
        }
      }),
    );
  });
});

/** Tokens for OAUTHBEARER: from a file, and from an endpoint that is a real HTTP server. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, test } from "node:test";
import { messageOf, SpillwayError } from "../../../../src/errors.ts";
import { type ClientCredentials, ClientCredentialTokens } from "../../../../src/kafka/login/client-credentials.ts";
import { tokenOfFile } from "../../../../src/kafka/login/token-file.ts";
import { httpDouble } from "../../../helpers/http-double.ts";

const directory = mkdtempSync(join(tmpdir(), "spillway-tokens-"));
after(() => rmSync(directory, { recursive: true }));

const SECRET = "s3cr3t:with/odd parts";

async function failureOf(work: Promise<unknown>): Promise<SpillwayError> {
  const error: unknown = await work.then(() => assert.fail("it did not fail")).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SpillwayError, messageOf(error));
  assert.equal(error.code, "AUTHENTICATION_FAILED");
  return error;
}

describe("a token's file", () => {
  test("is read anew each time, less the white space around it", async () => {
    const file = join(directory, "token");
    writeFileSync(file, "first\n");
    assert.equal(await tokenOfFile(file), "first");
    writeFileSync(file, " second");
    assert.equal(await tokenOfFile(file), "second");
  });

  test("that is away or empty may come back", async () => {
    const file = join(directory, "empty");
    writeFileSync(file, "\n");
    for (const path of [file, join(directory, "nowhere")]) {
      const { retryable, message } = await failureOf(tokenOfFile(path));
      assert.ok(retryable && message.includes(path));
    }
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

function endpoint(handler: Handler) {
  return httpDouble(async (request, response) => handler(request, response, await text(request)));
}

function tokensOf(url: string, options: Partial<ClientCredentials> = {}, now?: () => number): ClientCredentialTokens {
  return new ClientCredentialTokens(
    { url, clientId: "me & you", clientSecret: SECRET, timeoutMs: 10_000, ...options },
    now,
  );
}

describe("a token endpoint", () => {
  test("is asked once for as long as a token is good, by all who want one", async () => {
    const asked: { readonly authorization: string | undefined; readonly body: string }[] = [];
    await using server = await endpoint(({ headers }, response, body) => {
      asked.push({ authorization: headers.authorization, body });
      response.end(JSON.stringify({ access_token: `token-${asked.length}`, token_type: "Bearer", expires_in: 100 }));
    });
    let now = 0;
    const tokens = tokensOf(server.url, { scope: "kafka read" }, () => now);
    assert.deepEqual(await Promise.all([tokens.token(), tokens.token()]), ["token-1", "token-1"]);
    now = 79_999;
    assert.equal(await tokens.token(), "token-1");
    now = 80_001;
    assert.equal(await tokens.token(), "token-2");
    const encoded = Buffer.from("me+%26+you:s3cr3t%3Awith%2Fodd+parts").toString("base64");
    const request = { authorization: `Basic ${encoded}`, body: "grant_type=client_credentials&scope=kafka+read" };
    assert.deepEqual(asked, [request, request]);
  });

  test("that names no life time is asked each time", async () => {
    let asked = 0;
    await using server = await endpoint((_request, response) => {
      response.end(JSON.stringify({ access_token: `token-${++asked}` }));
    });
    const tokens = tokensOf(server.url);
    assert.deepEqual([await tokens.token(), await tokens.token()], ["token-1", "token-2"]);
  });

  const cases: readonly (readonly [string, Handler, boolean, RegExp])[] = [
    [
      "refuses the client",
      (_request, response) => response.writeHead(401).end('{"error":"invalid_client","error_description":"unknown"}'),
      false,
      /answered 401 invalid_client: unknown\. Check the client id, its secret and the scope$/,
    ],
    ["is overloaded", (_request, response) => response.writeHead(429).end(), true, /answered 429$/],
    ["has a fault", (_request, response) => response.writeHead(503).end("<html>"), true, /answered 503$/],
    [
      "is no token endpoint",
      (_request, response) => response.end("<html>"),
      true,
      /gave no token: is the URL right\?$/,
    ],
    [
      "sends the client elsewhere",
      (_request, response) => response.writeHead(307, { location: "http://127.0.0.1:9/" }).end(),
      true,
      /can't be asked: /,
    ],
    [
      "never ends its answer",
      (_request, response) => {
        response.on("error", () => {});
        for (let i = 0; i < 20; i++) response.write("x".repeat(8_192));
      },
      true,
      /can't be asked: its answer is longer than 65536 bytes$/,
    ],
    ["gives no answer", () => {}, true, /can't be asked: it gave no answer within 300 ms$/],
  ];
  for (const [name, handler, retryable, message] of cases) {
    test(`that ${name}`, async () => {
      await using server = await endpoint(handler);
      const timeoutMs = name === "gives no answer" ? 300 : 10_000;
      const error = await failureOf(tokensOf(server.url, { timeoutMs }).token());
      assert.equal(error.retryable, retryable);
      assert.match(error.message, message);
      assert.ok(error.message.includes(server.url) && !error.message.includes(SECRET));
    });
  }

  test("that is away may come back, and nothing is kept of the failure", async () => {
    let isWell = false;
    await using server = await endpoint((_request, response) => {
      if (isWell) response.end('{"access_token":"good"}');
      else response.destroy();
    });
    const tokens = tokensOf(server.url);
    assert.ok((await failureOf(tokens.token())).retryable);
    isWell = true;
    assert.equal(await tokens.token(), "good");
  });
});

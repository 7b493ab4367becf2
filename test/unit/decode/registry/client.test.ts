import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener } from "node:http";
import { describe, test } from "node:test";
import { RegistryClient, type RegistryOptions } from "../../../../src/decode/registry/client.ts";
import { SpillwayError } from "../../../../src/errors.ts";
import { httpDouble } from "../../../helpers/http-double.ts";

const never = new AbortController().signal;

/** A local server in the registry's place. */
async function withRegistry(
  answer: RequestListener,
  work: (client: RegistryClient, url: string) => Promise<void>,
  options: Partial<RegistryOptions> = {},
): Promise<void> {
  await using server = await httpDouble(answer);
  const url = `${server.url}/api/`;
  await work(new RegistryClient({ url, timeoutMs: 10_000, ...options }), url);
}

function json(status: number, body: unknown): RequestListener {
  return (_, response) => response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
}

async function failureOf(work: Promise<unknown>): Promise<SpillwayError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof SpillwayError, String(error));
    return error;
  }
  assert.fail("it was answered");
}

describe("what a registry answers", () => {
  test("a schema, with its type and references", async () => {
    const reference = { name: "n", subject: "s/1", version: 2 };
    const asked: string[] = [];
    const answer: RequestListener = (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      json(200, { schema: "{}", schemaType: "JSON", references: [reference], id: 3 })(request, response);
    };
    await withRegistry(answer, async (client) => {
      const value = { type: "JSON", schema: "{}", references: [reference] };
      assert.deepEqual(await client.schema(7, never), { kind: "found", value });
      assert.deepEqual(await client.version(reference, never), { kind: "found", value });
    });
    assert.deepEqual(asked, ["GET /api/schemas/ids/7", "GET /api/subjects/s%2F1/versions/2"]);
    await withRegistry(json(200, { schema: '"int"' }), async (client) => {
      const value = { type: "AVRO", schema: '"int"', references: [] };
      assert.deepEqual(await client.schema(1, never), { kind: "found", value });
    });
  });

  test("that it has no such schema", async () => {
    await withRegistry(json(404, { error_code: 40403, message: "no" }), async (client) => {
      assert.deepEqual(await client.schema(1, never), { kind: "missing" });
    });
  });

  const OUTAGES: Record<string, RequestListener> = {
    "a 404 of something else": json(404, "<html>default backend</html>"),
    "a 404 with another code": json(404, { error_code: 404, message: "no such path" }),
    "an error of its own": json(500, { error_code: 50001, message: "store" }),
    "too many requests": json(429, ""),
    "a bad gateway": json(502, ""),
    "a page of another server": json(200, "<html>"),
    "another thing": json(200, { schema: 12 }),
    "half an answer": (_, response) => {
      response.writeHead(200, { "content-length": 100 }).write("{");
      setImmediate(() => response.destroy());
    },
    "a closed connection": (request) => request.socket.destroy(),
  };
  for (const [what, answer] of Object.entries(OUTAGES)) {
    test(`${what} is an outage`, async () => {
      await withRegistry(answer, async (client, url) => {
        const error = await failureOf(client.schema(1, never));
        assert.deepEqual([error.code, error.retryable], ["REGISTRY_UNREACHABLE", true]);
        assert.match(error.message, new RegExp(url.slice(0, -1)));
      });
    });
  }

  test("nothing at all, within the deadline: before the answer, and in the middle of it", async () => {
    const HANGS: readonly RequestListener[] = [
      () => {},
      (_, response) => void response.writeHead(200).write('{"schema":'),
    ];
    for (const hangs of HANGS) {
      await withRegistry(
        hangs,
        async (client) => {
          const error = await failureOf(client.schema(1, never));
          assert.deepEqual([error.code, error.retryable], ["REGISTRY_UNREACHABLE", true]);
          assert.match(error.message, /no answer within 100 ms/);
        },
        { timeoutMs: 100 },
      );
    }
  });

  test("more than anybody can want", async () => {
    const endless: RequestListener = (_, response) => {
      const write = (): void => void (response.writable && response.write(Buffer.alloc(1024 ** 2, 0x20), write));
      write();
    };
    await withRegistry(endless, async (client) => {
      assert.match((await failureOf(client.schema(1, never))).message, /longer than/);
    });
  });

  test("nobody there, and whoever asks has left", async () => {
    const client = new RegistryClient({ url: "http://127.0.0.1:1/", timeoutMs: 5_000 });
    assert.equal((await failureOf(client.schema(1, never))).retryable, true);
    const reason = new Error("left");
    await assert.rejects(client.schema(1, AbortSignal.abort(reason)), reason);
  });

  for (const status of [401, 403]) {
    test(`${status}: no retry mends it, and no secret shows`, async () => {
      const auth = { kind: "basic", username: "somebody", password: "s3cr3t-s3cr3t" } as const;
      await withRegistry(
        json(status, { error_code: status, message: "not you" }),
        async (client) => {
          const error = await failureOf(client.schema(1, never));
          assert.deepEqual([error.code, error.retryable], ["REGISTRY_REFUSED", false]);
          assert.match(error.message, /not you.*registry\.token/);
          const encoded = Buffer.from("somebody:s3cr3t-s3cr3t").toString("base64");
          assert.ok(!`${error.message} ${error.stack} ${String(error.cause)}`.includes("s3cr3t"));
          assert.ok(!`${error.stack}`.includes(encoded));
        },
        { auth },
      );
    });
  }
});

describe("what it is told", () => {
  test("who asks", async () => {
    const seen: (string | undefined)[] = [];
    const answer: RequestListener = (request: IncomingMessage, response) => {
      seen.push(request.headers.authorization);
      json(200, { schema: "" })(request, response);
    };
    const ask = async (client: RegistryClient) => void (await client.schema(1, never));
    await withRegistry(answer, ask);
    await withRegistry(answer, ask, { auth: { kind: "bearer", token: "a.b" } });
    await withRegistry(answer, ask, { auth: { kind: "basic", username: "u", password: "é:p" } });
    assert.deepEqual(seen, [undefined, "Bearer a.b", `Basic ${Buffer.from("u:é:p").toString("base64")}`]);
  });

  test("a schema that it refuses is nobody's outage", async () => {
    for (const status of [409, 422]) {
      await withRegistry(json(status, { error_code: status, message: "incompatible" }), async (client) => {
        const error = await failureOf(client.register("s", { type: "AVRO", schema: '"int"' }, never));
        assert.deepEqual([error.code, error.retryable], ["REGISTRY_REFUSED", false]);
        assert.match(error.message, /incompatible/);
      });
    }
  });
});

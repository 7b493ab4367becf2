import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Services, startServices } from "../../services/services.ts";
import { SpillwayError } from "../../src/errors.ts";
import { type DynamoTarget, type DynamoTargetOptions, openDynamoTarget } from "../../src/sink/targets/dynamo.ts";
import { AlteringProxy, AWS_ENVIRONMENT, failure, TestTables } from "../helpers/dynamodb.ts";
import { kafkaOf, makeTopic, produceAll, until } from "../helpers/kafka.ts";
import { all, dataErrors, insertOf, inserts, kinds, latestOf } from "../helpers/operations.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const START = { timeout: 20 * 60_000 };
const EACH = { timeout: 2 * 60_000 };

/** What a BatchWriteItem asks for. */
interface BatchBody {
  readonly RequestItems: Readonly<Record<string, { PutRequest: { Item: { id: { S: string } } } }[]>>;
}

describe("DynamoDB as a target", () => {
  let services: Services;
  let tables: TestTables;

  before(async () => {
    services = await startServices({ dynamodb: true });
    tables = new TestTables(services.dynamodbUrl);
  }, START);

  after(async () => {
    tables?.close();
    await services?.stop();
  }, EACH);

  const open = (options: Partial<DynamoTargetOptions> = {}): Promise<DynamoTarget> =>
    openDynamoTarget({ tables: [], endpoint: services.dynamodbUrl, requestTimeoutMs: 30_000, ...options });
  const proxied = () => AlteringProxy.start(services.dynamodbUrl);
  const refusal = (message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof SpillwayError, String(error));
    assert.equal(error.code, "DATABASE_REFUSED");
    assert.match(error.message, message);
    return true;
  };

  it("writes what was sent, exactly", EACH, async () => {
    const table = await tables.make();
    await using target = await open();
    const fields = {
      n: 9007199254740993n,
      f: -1.5,
      e: "",
      l: [{ a: true }, null],
      u: "é😀\0",
      b: Buffer.from([0, 255]),
    };
    assert.deepEqual(kinds(await target.write(table, [insertOf("exact", fields)], false)), ["written"]);
    assert.deepEqual((await tables.scan(table)).get("exact"), {
      id: { S: "exact" },
      n: { N: "9007199254740993" },
      f: { N: "-1.5" },
      e: { S: "" },
      l: { L: [{ M: { a: { BOOL: true } } }, { NULL: true }] },
      u: { S: "é😀\0" },
      b: { B: new Uint8Array([0, 255]) },
    });
  });

  it("tries again only what the service left unprocessed", EACH, async () => {
    const table = await tables.make();
    await using proxy = await proxied();
    await using target = await open({ endpoint: proxy.url });
    let throttled = new Set(["id-3", "id-30", "id-31"]);
    proxy.alter = async ({ operation, body, forward }) => {
      if (operation !== "BatchWriteItem") return await forward();
      const asked = (body as unknown as BatchBody).RequestItems[table] ?? [];
      const [left, taken] = [true, false].map((is) =>
        asked.filter(({ PutRequest }) => throttled.has(PutRequest.Item.id.S) === is),
      );
      const answer = taken?.length ? await forward({ RequestItems: { [table]: taken } }) : { status: 200, body: {} };
      return { ...answer, body: { UnprocessedItems: left?.length ? { [table]: left } : {} } };
    };
    const batch = inserts(60);
    const first = await target.write(table, batch, false);
    const expected = batch.map(({ id }) => (throttled.has(id) ? "transient" : "written"));
    assert.deepEqual(kinds(first), expected);
    assert.equal((await tables.scan(table)).size, 57);
    const left = batch.filter((_, i) => first[i]?.kind === "transient");
    throttled = new Set();
    assert.deepEqual(kinds(await target.write(table, left, false)), all("written", 3));
    assert.equal((await tables.scan(table)).size, 60);

    // Ordered, nothing is begun behind the request that wasn't done completely.
    throttled = new Set(["o-30"]);
    const ordered = kinds(await target.write(table, inserts(75, "o"), true));
    const second = Array.from({ length: 25 }, (_, i) => (i === 5 ? "transient" : "written"));
    assert.deepEqual(ordered, [...all("written", 25), ...second, ...all("not-attempted", 25)]);
  });

  it(
    "takes throttling and the service's own errors for what passes, and what isn't DynamoDB for no answer",
    EACH,
    async () => {
      const table = await tables.make();
      await using proxy = await proxied();
      await using target = await open({ endpoint: proxy.url });
      assert.deepEqual(kinds(await target.write(table, inserts(1), false)), ["written"]);
      const answers = [
        failure("ProvisionedThroughputExceededException"),
        failure("ThrottlingException"),
        failure("RequestLimitExceeded"),
        failure("InternalServerError", 500),
        { status: 503, body: "" },
        { status: 502, body: "<html>Bad gateway</html>" },
        { status: 200, body: "<html>Please log in</html>" },
        { status: 200, body: "" },
      ];
      for (const answer of answers) {
        proxy.alter = async () => answer;
        const what = JSON.stringify(answer);
        assert.deepEqual(kinds(await target.write(table, inserts(3, "b"), true)), all("transient", 3), what);
        assert.equal((await target.check()).kind, "away", what);
        if (answer.status !== 200) {
          assert.deepEqual(kinds(await target.write(table, [latestOf("k", 1n)], false)), ["transient"], what);
        }
      }
      proxy.alter = ({ forward }) => forward();
      assert.deepEqual(kinds(await target.write(table, inserts(3, "b"), true)), all("written", 3));
    },
  );

  it("sends nothing more of a batch once the service asks for less", EACH, async () => {
    const table = await tables.make();
    await using proxy = await proxied();
    await using target = await open({ endpoint: proxy.url, maxSockets: 4 });
    await target.write(table, inserts(1), false);
    proxy.operations.length = 0;
    proxy.alter = async () => failure("ThrottlingException");
    const outcomes = kinds(await target.write(table, inserts(500), false));
    assert.equal(proxy.operations.length, 4);
    assert.deepEqual(outcomes.toSorted(), [...all("not-attempted", 400), ...all("transient", 100)]);
  });

  it("ends where nobody may write", EACH, async () => {
    const table = await tables.make();
    await using proxy = await proxied();
    await using target = await open({ endpoint: proxy.url });
    await target.write(table, inserts(1), false);
    for (const code of ["AccessDeniedException", "UnrecognizedClientException", "ResourceNotFoundException"]) {
      proxy.alter = async () => failure(code);
      await assert.rejects(target.write(table, inserts(30), false), refusal(new RegExp(`${table}.*${code}`)));
      await assert.rejects(target.check(), refusal(/./));
    }
  });

  it(
    "finds several items that the service refuses without naming them, and the too large before they are sent",
    EACH,
    async () => {
      const table = await tables.make();
      await using proxy = await proxied();
      await using target = await open({ endpoint: proxy.url });
      const poison = new Set(["id-0", "id-24", "id-26", "id-59"]);
      proxy.alter = async ({ operation, body, forward }) => {
        const asked = operation === "BatchWriteItem" ? (body as unknown as BatchBody).RequestItems[table] : [];
        const isPoisoned = asked?.some(({ PutRequest }) => poison.has(PutRequest.Item.id.S));
        return isPoisoned ? failure("ValidationException", 400, "an item is wrong") : await forward();
      };
      const batch = inserts(60);
      batch[40] = insertOf("large", { text: "x".repeat(410_000) });
      const outcomes = await target.write(table, batch, false);
      const wrong = new Set([...poison, "large"]);
      const expected = batch.map(({ id }) => (wrong.has(id) ? "data-error" : "written"));
      assert.deepEqual(kinds(outcomes), expected);
      assert.deepEqual(dataErrors(outcomes).toSorted(), [
        ...new Array<string>(4).fill("dynamodb-ValidationException"),
        "dynamodb-item-too-large",
      ]);
      assert.equal((await tables.scan(table)).size, 55);
    },
  );

  it("writes keys that repeat side by side, and ends at a refused item for its key alone", EACH, async () => {
    const table = await tables.make();
    await using proxy = await proxied();
    await using target = await open({ endpoint: proxy.url });
    await target.write(table, inserts(1), false);
    proxy.alter = async ({ operation, body, forward }) => {
      const asked = operation === "BatchWriteItem" ? (body as unknown as BatchBody).RequestItems[table] : [];
      const isPoisoned = asked?.some(({ PutRequest }) => PutRequest.Item.id.S === "id-120");
      await until("others have come too", () => isPoisoned === true || proxy.mostAtOnce >= 10);
      return isPoisoned ? failure("ValidationException", 400, "an item is wrong") : await forward();
    };
    const batch = inserts(500).map((insert, n) => ({ ...insert, orderedBy: n % 100 }));
    const outcomes = kinds(await target.write(table, batch, true));
    const expected = batch.map((_, n) => {
      if (n === 120) return "data-error";
      return n % 100 === 20 && n > 120 ? "not-attempted" : "written";
    });
    assert.deepEqual(outcomes, expected);
    assert.equal((await tables.scan(table)).size, 496);
  });

  it("sends items of 400 KB in requests that the service takes", EACH, async () => {
    const table = await tables.make();
    await using target = await open();
    const batch = Array.from({ length: 12 }, (_, i) => insertOf(`l${i}`, { text: "x".repeat(409_000) }));
    assert.deepEqual(kinds(await target.write(table, batch, true)), all("written", 12));
    assert.equal((await tables.scan(table)).size, 12);
  });

  it(
    "judges a newer state by what the service hands back, and reads only where it hands back nothing",
    EACH,
    async () => {
      const table = await tables.make();
      await using proxy = await proxied();
      await using target = await open({ endpoint: proxy.url });
      const write = async (order: bigint, source?: string) =>
        kinds(await target.write(table, [latestOf("k", order, {}, source)], false));
      const reads = () => proxy.operations.filter((operation) => operation === "GetItem").length;
      await write(5n);
      assert.deepEqual(await write(5n), ["already-written"]);
      assert.equal(reads(), 1); // dynalite hands back nothing
      proxy.alter = async ({ operation, forward }) => {
        const answer = await forward();
        if (operation !== "PutItem" || answer.status !== 400) return answer;
        const Item = (await tables.scan(table)).get("k");
        return { status: 400, body: { ...(answer.body as object), Item } };
      };
      assert.deepEqual(await write(4n), ["already-written"]);
      assert.deepEqual(await write(9n, "other-0"), ["data-error"]);
      assert.deepEqual(await write(6n), ["written"]);
      assert.equal(reads(), 1);
    },
  );

  it("opens no more connections than it may, and closes them", EACH, async () => {
    const table = await tables.make();
    await using proxy = await proxied();
    const target = await open({ endpoint: proxy.url, maxSockets: 3 });
    const states = Array.from({ length: 40 }, (_, i) => latestOf(`k${i}`, 1n));
    const [written] = await Promise.all([target.write(table, states, false), target.write(table, inserts(200), false)]);
    assert.deepEqual(kinds(written), all("written", 40));
    assert.equal(proxy.mostAtOnce, 3);
    assert.equal(proxy.connections, 3);
    await target[Symbol.asyncDispose]();
    await until("the connections are closed", () => proxy.connections === 0);
  });

  it("refuses tables that aren't as they must be, and says what they must be", EACH, async () => {
    const key = (AttributeName: string, AttributeType: "S" | "N") => ({
      AttributeDefinitions: [{ AttributeName, AttributeType }],
      KeySchema: [{ AttributeName, KeyType: "HASH" as const }],
    });
    const sorted = await tables.make({
      AttributeDefinitions: ["id", "at"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "at", KeyType: "RANGE" },
      ],
    });
    const wrong: [string, RegExp][] = [
      ["no-such-table", /no table no-such-table.*partition key id of type string.*--dynamo-create-table/],
      [sorted, /has a sort key/],
      [await tables.make(key("id", "N")), /partition key of type N/],
      [await tables.make(key("pk", "S")), /has the partition key pk, and not id.*--dynamo-key/],
    ];
    for (const [name, message] of wrong) {
      await using target = await open({ tables: [name] });
      await assert.rejects(target.prepare(), refusal(message));
      await assert.rejects(target.write(name, inserts(2), false), refusal(message));
    }
    await using named = await open({ tables: [await tables.make(key("pk", "S"))], key: "pk" });
    assert.deepEqual(await named.prepare(), { kind: "available" });
    await assert.rejects(open({ tables: ["a b"] }), { code: "CONFIG_INVALID" });
  });

  it("makes missing tables if it is told to: those of the options, and those that records name", EACH, async () => {
    const [known, named] = [uniqueName("known"), uniqueName("named")];
    await using target = await open({ tables: [known], createTables: true });
    const states = new Set<string>();
    await until("it is made", async () => states.add((await target.prepare()).kind).has("available"));
    assert.deepEqual(states, new Set(["away", "available"]));
    assert.deepEqual((await tables.describe(known))?.KeySchema, [{ AttributeName: "id", KeyType: "HASH" }]);
    assert.equal((await tables.describe(known))?.BillingModeSummary?.BillingMode, "PAY_PER_REQUEST");
    await until("the other is made", async () => kinds(await target.write(named, inserts(1), false))[0] === "written");
    const impossible = await target.write("a name with spaces", inserts(2), false);
    assert.deepEqual(dataErrors(impossible), ["dynamodb-table-name", "dynamodb-table-name"]);
  });

  it("needs credentials and a region, and says so", EACH, async () => {
    const { AWS_ACCESS_KEY_ID, AWS_REGION } = AWS_ENVIRONMENT;
    try {
      delete process.env["AWS_REGION"];
      await assert.rejects(open(), { code: "CONFIG_INVALID", message: /--dynamo-region/ });
      delete process.env["AWS_ACCESS_KEY_ID"];
      await using target = await open({ region: "eu-west-1", tables: ["prices"] });
      await assert.rejects(target.prepare(), refusal(/CredentialsProviderError/));
    } finally {
      Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_REGION });
    }
  });

  it(
    "is written to by spillway sink, begun while it is away: each record once, what can't be written apart",
    EACH,
    async () => {
      const { brokers, toxiproxy } = await testServices();
      const kafka = kafkaOf(brokers);
      const topic = uniqueName("prices");
      await makeTopic(kafka, { topic, partitions: 3 });
      const records = Array.from({ length: 1_000 }, (_, n) => ({
        key: Buffer.from(`key-${n % 100}`),
        value: Buffer.from(n === 500 ? '{"id":"mine"}' : JSON.stringify({ n })),
        timestamp: 1_700_000_000_000 + n,
      }));
      await produceAll(kafka, topic, records);
      const proxy = await toxiproxy.createProxy({
        name: uniqueName("dynamodb"),
        upstream: new URL(services.dynamodbUrl).host,
      });
      await proxy.cut();
      const args = ["--brokers", brokers.join(), "--topic", topic, "--dynamo-endpoint", `http://${proxy.address}`];
      const made = ["--target", "dynamodb", "--dynamo-create-table"];
      await using sink = new SpillwayProcess(["sink", ...args, ...made, ...QUICK_SESSION], AWS_ENVIRONMENT);
      await until("it has noticed", () => sink.log.includes("the database is away"));
      await proxy.restore();
      const count = async () => {
        const table = await tables.describe(topic).catch(() => undefined);
        return table?.TableStatus === "ACTIVE" && (await tables.scan(topic)).size === 999;
      };
      await until("all is written", count);
      await sink.stop();
      const items = await tables.scan(topic);
      const numbers = [...items.values()].map(({ n }) => Number(n?.N)).toSorted((a, b) => a - b);
      assert.deepEqual(
        numbers,
        records.map((_, n) => n).filter((n) => n !== 500),
      );
      assert.match(sink.log, /has-own-key/);
      assert.doesNotMatch(sink.log, /s3cr3t/);
      await proxy.delete();
    },
  );
});

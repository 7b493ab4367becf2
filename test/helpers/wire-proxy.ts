import { createConnection, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { BSON, type Document } from "mongodb";
import { freePort } from "../../services/ports.ts";

/** One write error, as servers put it into their answers. */
export interface WriteError {
  readonly code: number;
  readonly errmsg: string;
  readonly keyPattern?: Document;
}

/** What to do with one command. */
export type Fault =
  /** This is the answer; the server never hears of it. */
  | { readonly kind: "answer"; readonly reply: Document }
  /** The server does it; its answer never comes, since the connection is closed (or, silent, stays open). */
  | { readonly kind: "lose"; readonly silent?: boolean }
  /** The server does it, and its answer is changed. */
  | { readonly kind: "change"; readonly change: (reply: Document) => Document }
  /** These statements fail, by their place; the server hears of the others, up to the first that failed where it is ordered. */
  | { readonly kind: "part"; readonly failures: ReadonlyMap<number, WriteError> }
  /** Nothing but late, by so many milliseconds. */
  | { readonly kind: "delay"; readonly ms: number };

/** A command as it came by. */
export interface SeenCommand {
  readonly name: string;
  /** Of insert, update and delete: what is to be done, in its order. */
  readonly statements: readonly Document[];
  readonly ordered: boolean;
  readonly at: number;
  /** Write commands that were under way with it when it came, itself included. */
  readonly sideBySide: number;
  /** Write commands that had been answered when it came. */
  readonly answeredBefore: number;
}

const OP_MSG = 2013;
const HEADER_BYTES = 16;
const LISTS: Readonly<Record<string, string>> = { insert: "documents", update: "updates", delete: "deletes" };
/** Clients ask these on their own. */
const CHATTER = new Set(["hello", "ismaster", "isMaster", "endSessions", "buildInfo"]);

/**
 * A proxy that speaks MongoDB's wire protocol (OP_MSG, uncompressed) and answers as badly as it is told to. What isn't a
 * command it passes on as it is.
 */
export class WireProxy implements AsyncDisposable {
  readonly seen: SeenCommand[] = [];
  /** Asked for each command but those of the clients' own; undefined: all is well. */
  rule: (command: SeenCommand) => Fault | undefined = () => undefined;
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #underWay = 0;
  #answered = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
  }

  /** @param upstream host:port of the server */
  static async open(upstream: string): Promise<WireProxy> {
    const { hostname, port: serverPort } = new URL(`tcp://${upstream}`);
    const server = createServer();
    const port = await freePort();
    const proxy = new WireProxy(server, port);
    server.on("connection", (client) => proxy.#connect(client, createConnection(Number(serverPort), hostname)));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return proxy;
  }

  /** Commands that write, from a place in `seen` on. */
  writes(from = 0): readonly SeenCommand[] {
    return this.seen.slice(from).filter(({ name }) => name in LISTS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connect(client: Socket, server: Socket): void {
    /** By the request's id: what to do with its answer; undefined is to lose it. */
    const answers = new Map<number, (reply: Document) => Document | "close" | "silence">();
    let underWay = 0;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.once("close", () => {
      this.#underWay -= underWay;
      underWay = 0;
    });
    const answer = (request: Buffer, reply: Document) => void client.write(message(reply, request.readInt32LE(4)));
    inMessages(client, async (bytes) => {
      const command = bytes.readInt32LE(12) === OP_MSG ? commandIn(bytes) : undefined;
      const [name = ""] = Object.keys(command ?? {});
      if (command === undefined || CHATTER.has(name)) return void server.write(bytes);
      const isWrite = name in LISTS;
      if (isWrite) {
        this.#underWay++;
        underWay++;
      }
      const statements = (command[LISTS[name] ?? ""] ?? []) as Document[];
      const seen = {
        ...{ name, statements, ordered: command["ordered"] !== false, at: performance.now() },
        ...{ sideBySide: this.#underWay, answeredBefore: this.#answered },
      };
      this.seen.push(seen);
      const settled = <T>(result: T): T => {
        if (!isWrite || underWay === 0) return result;
        this.#underWay--;
        underWay--;
        this.#answered++;
        return result;
      };
      const fault = this.rule(seen);
      switch (fault?.kind) {
        case "answer":
          return answer(bytes, settled(fault.reply));
        case "part": {
          const left = withoutFailures(command, name, fault.failures);
          const places = (left[LISTS[name] ?? ""] as { readonly place: number }[]).map(({ place }) => place);
          const merged = (reply: Document) => settled(withFailures(reply, fault.failures, places, seen.ordered));
          if (places.length === 0) return answer(bytes, merged({ ok: 1, n: 0 }));
          answers.set(bytes.readInt32LE(4), merged);
          const statementsLeft = places.map((place) => statements[place]);
          return void server.write(message({ ...left, [LISTS[name] ?? ""]: statementsLeft }, 0, bytes.readInt32LE(4)));
        }
        case "lose":
          answers.set(bytes.readInt32LE(4), () => settled(fault.silent === true ? "silence" : "close"));
          break;
        case "change":
          answers.set(bytes.readInt32LE(4), (reply) => settled(fault.change(reply)));
          break;
        case "delay":
          await sleep(fault.ms);
          answers.set(bytes.readInt32LE(4), settled);
          break;
        case undefined:
          answers.set(bytes.readInt32LE(4), settled);
      }
      server.write(bytes);
    });
    inMessages(server, async (bytes) => {
      const request = bytes.readInt32LE(8);
      const change = answers.get(request);
      answers.delete(request);
      if (change === undefined) return void client.write(bytes);
      const reply = change(commandIn(bytes));
      if (reply === "close") client.destroy();
      else if (reply !== "silence") client.write(message(reply, request));
    });
  }
}

/** Hands on what comes in, one whole message after the other. */
function inMessages(socket: Socket, handle: (message: Buffer) => Promise<void>): void {
  let left: Buffer = Buffer.alloc(0);
  let turn = Promise.resolve();
  socket.on("data", (chunk: Buffer) => {
    left = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    while (left.length >= HEADER_BYTES && left.length >= left.readInt32LE(0)) {
      const whole = left.subarray(0, left.readInt32LE(0));
      left = left.subarray(whole.length);
      turn = turn.then(() => handle(whole));
    }
  });
}

/** The body of an OP_MSG, with the sequences of documents that stand beside it put into it. */
function commandIn(bytes: Buffer): Document {
  let body: Document = {};
  const lists: Document = {};
  for (let at = HEADER_BYTES + 4; at < bytes.length; ) {
    const isBody = bytes[at++] === 0;
    const end = at + bytes.readInt32LE(at);
    if (isBody) body = documentAt(bytes, at, end);
    else {
      const nameEnd = bytes.indexOf(0, at + 4);
      const documents: Document[] = [];
      for (let from = nameEnd + 1; from < end; from += bytes.readInt32LE(from)) {
        documents.push(documentAt(bytes, from, from + bytes.readInt32LE(from)));
      }
      lists[bytes.toString("utf8", at + 4, nameEnd)] = documents;
    }
    at = end;
  }
  return { ...body, ...lists };
}

/** With the types of BSON as they are, so that they are the same when it is sent on. */
function documentAt(bytes: Buffer, start: number, end: number): Document {
  return BSON.deserialize(bytes.subarray(start, end), { promoteValues: false });
}

function message(body: Document, responseTo: number, requestId = 0): Buffer {
  const document = BSON.serialize(body);
  const header = Buffer.alloc(HEADER_BYTES + 5);
  for (const [i, value] of [header.length + document.length, requestId, responseTo, OP_MSG].entries()) {
    header.writeInt32LE(value, 4 * i);
  }
  return Buffer.concat([header, document]);
}

/** The command with places instead of statements: those that the server is to hear of. */
function withoutFailures(command: Document, name: string, failures: ReadonlyMap<number, WriteError>): Document {
  const list = LISTS[name] ?? "";
  const end = command["ordered"] === false ? Number.POSITIVE_INFINITY : Math.min(...failures.keys());
  const places = (command[list] as Document[]).map((_, place) => ({ place }));
  return { ...command, [list]: places.filter(({ place }) => place < end && !failures.has(place)) };
}

function withFailures(
  reply: Document,
  failures: ReadonlyMap<number, WriteError>,
  places: readonly number[],
  ordered: boolean,
): Document {
  const ofServer = ((reply["writeErrors"] ?? []) as Document[]).map((error) => {
    return { ...error, index: places[Number(error["index"])] ?? -1 };
  });
  const own = [...failures].map(([index, error]) => ({ index, ...error }));
  const all = [...ofServer, ...own].toSorted((a, b) => a.index - b.index);
  const writeErrors = ordered ? all.slice(0, 1) : all;
  return { ...reply, ok: 1, ...(writeErrors.length > 0 ? { writeErrors } : {}) };
}

/** What KafkaJS's connections do for us, and what is done instead of them: how bytes come and go. */
import net from "node:net";
import tls from "node:tls";
import type { Connection } from "kafkajs/src/cluster/index.js";
import type { Api } from "./protocol/api.ts";
import { ProtocolWriter } from "./protocol/codec.ts";
import { ResponseReader } from "./response-reader.ts";

const KEEP_ALIVE_MS = 60_000;
const READ_BYTES = 256 * 1024;

export interface SocketTarget {
  readonly host: string;
  readonly port: number;
  readonly ssl?: tls.ConnectionOptions;
  readonly onConnect: () => void;
}

/** For KafkaJS's `socketFactory`. */
export function openSocket({ host, port, ssl, onConnect }: SocketTarget): net.Socket {
  const socket =
    ssl === undefined || ssl === null
      ? openPlain({ host, port, onConnect })
      : tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}

/**
 * Reads into the same memory again and again: with a buffer for every read, collecting them took a tenth of the relay's
 * time. Whoever gets the data copies it before returning (`takeOver`).
 */
function openPlain({ host, port, onConnect }: Omit<SocketTarget, "ssl">): net.Socket {
  const socket: net.Socket = net.connect(
    {
      host,
      port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, buffer) => socket.emit("data", Buffer.from(buffer.buffer, buffer.byteOffset, length)),
      },
    },
    onConnect,
  );
  return socket;
}

/** Puts our own ways of reading and of timing in the place of a connection's. Logging in stays KafkaJS's. */
export function takeOver(connection: Connection): void {
  // KafkaJS re-arms this timer every millisecond for as long as a connection lives. It only serves requests that
  // are held back by its own limits, which are not used here.
  connection.requestQueue.scheduleCheckPendingRequests = () => {};
  // And those that it holds back because a quota is exceeded, which ApiVersions' answer may say: without the timer they
  // would wait for ever. The broker sees to its quotas itself, by reading the connection later.
  connection.requestQueue.maybeThrottle = () => {};
  blameWhoFailed(connection);
  renewInTime(connection);

  const processData = connection.processData.bind(connection);
  let socket: net.Socket | undefined;
  let reader: ResponseReader;
  connection.processData = (chunk) => {
    if (connection.authHandlers !== null) {
      processData(Buffer.from(chunk));
      return;
    }
    if (socket !== connection.socket) {
      // What an earlier socket left half read is gone.
      socket = connection.socket;
      reader = new ResponseReader(({ bytes: size, correlationId, payload }) =>
        connection.requestQueue.fulfillRequest({ size, correlationId, payload }),
      );
    }
    try {
      reader.push(chunk);
    } catch (error) {
      socket?.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

/**
 * KafkaJS calls every failure of a login one of user and password, also that of a connection which ends meanwhile: a
 * broker's restart would look like a wrong password. What the broker hasn't answered fails with its own error.
 */
function blameWhoFailed(connection: Connection): void {
  const [send, authenticate] = [connection.send.bind(connection), connection.authenticate.bind(connection)];
  let unanswered: Error | undefined;
  connection.send = async (request) => {
    try {
      return await send(request);
    } catch (error) {
      if (error instanceof Error && error.name !== "KafkaJSProtocolError") unanswered = error;
      throw error;
    }
  };
  connection.authenticate = async () => {
    unanswered = undefined;
    try {
      await authenticate();
    } catch (error) {
      throw unanswered ?? error;
    }
  };
}

/** The part of a session before whose end it is renewed: a broker refuses that within a second of the last time. */
const RENEWED_BEFORE = 0.15;

/**
 * Brokers may end a login after a while (`connections.max.reauth.ms`, or when the token expires) unless it is renewed.
 * KafkaJS renews when less than a fixed time is left: with sessions of that length or shorter before each request.
 */
function renewInTime(connection: Connection): void {
  const authenticate = connection.authenticate.bind(connection);
  const atMostMs = connection.reauthenticationThreshold;
  connection.authenticate = async () => {
    await authenticate();
    const lifetimeMs = Number(connection.sessionLifetime.toString());
    connection.reauthenticationThreshold = Math.min(atMostMs, lifetimeMs * RENEWED_BEFORE);
  };
}

/** A request with its length, header and body still apart, so that large parts need not be copied together. */
interface Frame {
  readonly chunks: readonly Buffer[];
  /** Where the correlation id goes, which is known only when the request is sent. */
  readonly setCorrelationId: (id: number) => void;
}

const CORRELATION_ID_AT = 8;

/** A request as it goes over the wire. Request header v2: length, API key, version, correlation id, client id, no tagged fields. */
export function frame<Q>(api: Api<Q, unknown>, request: Q, clientId: string): Frame {
  const body = new ProtocolWriter();
  api.request.write(body, request);
  const chunks = body.finish();
  const client = Buffer.from(clientId, "utf8");
  const header = Buffer.alloc(14 + client.length + 1);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, header.length - 4);
  header.writeInt32BE(bytes, 0);
  header.writeInt16BE(api.key, 4);
  header.writeInt16BE(api.version, 6);
  header.writeInt16BE(client.length, 12);
  client.copy(header, 14);
  return { chunks: [header, ...chunks], setCorrelationId: (id) => header.writeInt32BE(id, CORRELATION_ID_AT) };
}

/**
 * Sends a request over a connection and returns the bytes of the answer. This is what KafkaJS's own `Connection.send`
 * does, but for its copying each request three times on the way to the socket.
 */
export async function exchange(
  connection: Connection,
  { key: apiKey, name: apiName, version: apiVersion }: Pick<Api<unknown, unknown>, "key" | "name" | "version">,
  { chunks, setCorrelationId }: Frame,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Buffer> {
  if (!connection.isAuthenticated()) await connection.authenticate();
  const { socket } = connection;
  // Before it is queued: the queue sends at once, and has taken the request in when sending throws.
  if (socket === undefined || !connection.isConnected()) throw new Error("the connection was closed");
  const correlationId = connection.nextCorrelationId();
  setCorrelationId(correlationId);
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly payload: Buffer }>();
  connection.requestQueue.push({
    entry: { apiKey, apiName, apiVersion, correlationId, resolve, reject },
    expectResponse: true,
    requestTimeout: timeoutMs,
    sendRequest: () => {
      socket.cork();
      for (const chunk of chunks) socket.write(chunk);
      socket.uncork();
    },
  });
  return (await promise).payload;
}

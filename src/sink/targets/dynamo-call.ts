import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { SpillwayError } from "../../errors.ts";
import { Slots } from "../../runtime/slots.ts";
import { inTime } from "./in-time.ts";

/** Sends one command, and is told when to give up. */
export type Send<T> = (client: DynamoDBClient, options: { readonly abortSignal: AbortSignal }) => Promise<T>;

/**
 * Sends a command when there is a connection for it, and gives it its deadline from then on.
 * @param onFailure told of a failure before the connection goes on to the next who waits for one
 * @throws what the SDK throws; SpillwayError TIMEOUT, retryable
 */
export type Call = <T>(send: Send<T>, onFailure?: (error: unknown) => void) => Promise<T>;

export interface Connection {
  readonly client: DynamoDBClient;
  readonly call: Call;
}

export interface ConnectionOptions {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly maxSockets: number;
  readonly requestTimeoutMs: number;
}

/**
 * Makes the client; it connects when it is first used.
 * @throws SpillwayError CONFIG_INVALID where neither option nor environment names a region
 */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const { endpoint, region, maxSockets, requestTimeoutMs } = options;
  const agent = { keepAlive: true, maxSockets };
  const config: DynamoDBClientConfig = {
    // The sink tries again itself, visibly and with jitter.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: requestTimeoutMs, httpAgent: agent, httpsAgent: agent },
    customUserAgent: "spillway",
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  };
  const client = new DynamoDBClient(config);
  try {
    await client.config.region();
  } catch {
    client.destroy();
    throw new SpillwayError("CONFIG_INVALID", "No region is given for DynamoDB", {
      context: { hint: "Give --dynamo-region, or AWS_REGION, or a region in the AWS profile" },
    });
  }
  // As many as connections: what waited for one inside the SDK would wait within its deadline.
  const slots = new Slots(maxSockets);
  const withinTime = inTime(requestTimeoutMs);
  const call: Call = (send, onFailure) =>
    slots.use(async () => {
      try {
        return await withinTime((signal) => send(client, { abortSignal: signal }));
      } catch (error) {
        onFailure?.(error);
        throw error;
      }
    });
  return { client, call };
}

import { parseArgs } from "node:util";
import { positive, some } from "./arguments.ts";
import { BENCH_CODECS, type BenchCodec, GUARANTEES, type Guarantee, PEER_NAMES, type PeerName } from "./result.ts";

export interface BenchOptions {
  /** Where the result goes, as JSON. */
  readonly json: string | undefined;
  readonly rounds: number;
  readonly windowSeconds: number;
  readonly warmupSeconds: { readonly native: number; readonly jvm: number };
  readonly codecs: readonly BenchCodec[];
  readonly peers: readonly PeerName[];
  readonly guarantees: readonly Guarantee[];
  /** Records to be preloaded. */
  readonly records: Readonly<Record<BenchCodec, number>>;
  readonly sourceBatchBytes: number;
  /** Folder for the CPU profiles of peers that run on Node. They cost some speed. */
  readonly profiles: string | undefined;
}

/** More than the fastest peer relays in warm-up and window. */
const RECORDS: Readonly<Record<BenchCodec, number>> = { none: 24_000_000, lz4: 16_000_000, zstd: 12_000_000 };

export const USAGE = `node bench/relay.ts [options]
  --json FILE             writes the result there
  --rounds N              3
  --window SECONDS        15
  --warmup SECONDS        5, after the first record
  --jvm-warmup SECONDS    12
  --codecs LIST           ${BENCH_CODECS.join()}
  --peers LIST            ${PEER_NAMES.join()}
  --guarantees LIST       ${GUARANTEES.join()}
  --records N             preloaded, for every codec (${BENCH_CODECS.map((codec) => `${codec} ${RECORDS[codec]}`).join(", ")})
  --source-batch BYTES    16384
  --cpu-prof DIRECTORY    profiles the peers that run on Node; see them by node bench/profile.ts FILE
`;

/** @throws TypeError for what isn't an option, or not one of those allowed */
export function parseOptions(args: readonly string[]): BenchOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: text,
      rounds: text,
      window: text,
      warmup: text,
      "jvm-warmup": text,
      codecs: text,
      peers: text,
      guarantees: text,
      records: text,
      "source-batch": text,
      "cpu-prof": text,
    },
  });
  const records = values.records === undefined ? undefined : positive("records", values.records);
  return {
    json: values.json,
    rounds: positive("rounds", values.rounds ?? "3"),
    windowSeconds: positive("window", values.window ?? "15"),
    warmupSeconds: {
      native: positive("warmup", values.warmup ?? "5"),
      jvm: positive("jvm-warmup", values["jvm-warmup"] ?? "12"),
    },
    codecs: some("codecs", values.codecs, BENCH_CODECS),
    peers: some("peers", values.peers, PEER_NAMES),
    guarantees: some("guarantees", values.guarantees, GUARANTEES),
    records: records === undefined ? RECORDS : { none: records, lz4: records, zstd: records },
    sourceBatchBytes: positive("source-batch", values["source-batch"] ?? "16384"),
    profiles: values["cpu-prof"],
  };
}

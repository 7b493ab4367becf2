import { z } from "zod";

/** What the keeper tells the command that started it. */
export const keeperMessage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), line: z.string() }),
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);

export type KeeperMessage = z.infer<typeof keeperMessage>;

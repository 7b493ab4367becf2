/** `npm run check` runs this: every patch must fit the source, and every patch must be listed. */
import { readdirSync } from "node:fs";
import { applies } from "./apply.ts";
import { MUTATIONS } from "./mutations.ts";

const listed = new Set(MUTATIONS.map(({ name }) => `${name}.patch`));
const unlisted = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".patch") && !listed.has(file));
const unfit = MUTATIONS.filter((mutation) => !applies(mutation)).map(({ name }) => `${name}.patch`);
for (const file of unlisted) console.error(`test/mutations/${file} is not in mutations.ts`);
for (const file of unfit) console.error(`test/mutations/${file} does not fit the source any more`);
process.exitCode = unlisted.length + unfit.length === 0 ? 0 : 1;

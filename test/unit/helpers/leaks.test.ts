import assert from "node:assert/strict";
import { test } from "node:test";
import { leaksIn } from "../../helpers/leaks.ts";

const SECRET = "mark/er@of:the secret";

test("a secret is found in each form it may leak in", () => {
  const bytes = Buffer.from(SECRET);
  const texts = [
    `password ${SECRET}!`,
    `mongodb://me:${encodeURIComponent(SECRET)}@h`,
    JSON.stringify({ data: [...Buffer.from(`\0me\0${SECRET}`)] }),
    bytes.toString("hex"),
    ...["", "m", "me", "\0me\0", "user:"].map((before) => Buffer.from(`${before}${SECRET}:after`).toString("base64")),
  ];
  for (const text of texts) assert.ok(leaksIn(text, SECRET).length > 0, text);
});

test("nothing is found where there is none", () => {
  assert.deepEqual(leaksIn("mark of the secret, *** and bWFyay9 and 6d61726b", SECRET), []);
});

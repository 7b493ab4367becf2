import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoInvalidArgumentError, MongoNetworkError, MongoServerError } from "mongodb";
import { SpillwayError } from "../../../src/errors.ts";
import { openMongoTarget } from "../../../src/sink/targets/mongo.ts";
import {
  classOf,
  classOfCommandError,
  classOfDocumentError,
  indexOfDuplicate,
  isDuplicateKey,
  refused,
} from "../../../src/sink/targets/mongo-errors.ts";

test("the codes that drivers retry are no data errors, for a document or a command", () => {
  // https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
  const retryable = [6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];
  for (const code of [...retryable, 64, 100, 112, 14031]) {
    assert.equal(classOfDocumentError(code), "transient", String(code));
    assert.equal(classOfCommandError(code), "transient", String(code));
  }
});

test("an error of one document is a data error unless it is known to pass", () => {
  for (const code of [2, 15, 121, 11000, 10334, 999_999])
    assert.equal(classOfDocumentError(code), "data", String(code));
});

test("an error of a command is retried unless it is known not to pass; settings end the sink", () => {
  for (const code of [undefined, 1, 8, 999_999]) assert.equal(classOfCommandError(code), "transient", String(code));
  for (const code of [2, 13, 18, 73, 8000]) assert.equal(classOfCommandError(code), "refused", String(code));
  for (const code of [15, 10334]) assert.equal(classOfCommandError(code), "data", String(code));
});

test("what the driver throws is judged by where it comes from; the rest is a surprise", () => {
  assert.equal(classOf(new MongoServerError({ message: "no", code: 13 })), "refused");
  assert.equal(classOf(new MongoServerError({ message: "connection closed" })), "transient");
  assert.equal(classOf(new MongoNetworkError("reset")), "transient");
  assert.equal(classOf(new MongoInvalidArgumentError("no")), "refused");
  assert.equal(classOf(Object.assign(new Error("querySrv ENOTFOUND"), { code: "ENOTFOUND" })), "transient");
  const mistake = Object.assign(new RangeError("out of range"), { code: "ERR_OUT_OF_RANGE" });
  assert.throws(
    () => classOf(mistake),
    (error) => error === mistake,
  );
  const surprise = new TypeError("undefined is not a function");
  assert.throws(
    () => classOf(surprise),
    (error) => error === surprise,
  );
  assert.equal(refused(new Error("no")).code, "DATABASE_REFUSED");
});

test("the index of a duplicate is read from the messages of old and new servers", () => {
  const messages: [string, string | undefined][] = [
    ['E11000 duplicate key error collection: a.b index: _id_ dup key: { _id: "x" }', "_id_"],
    ["E11000 duplicate key error collection: a.b index: user_id_1 dup key: { user_id: 1 }", "user_id_1"],
    ["E11000 duplicate key error index: a.b.$_id_ dup key: { : 1 }", "_id_"],
    ["E11000 duplicate key error index: a.b.$email_1 dup key: { : 1 }", "email_1"],
    ["E11000 duplicate key error collection: a.b dup key: { _id: 1 }", undefined],
    ["E11000 duplicate key error collection: a.b", undefined],
  ];
  for (const [message, index] of messages) assert.equal(indexOfDuplicate(message), index, message);
  assert.ok(isDuplicateKey(11000) && !isDuplicateKey(121));
});

test("a URL that can't be used is named as such, without its password", () => {
  const urls = [
    "mongodb://user:s3cr3t-s3cr3t/@host/x",
    "http://user:s3cr3t-s3cr3t@host",
    "mongodb://user:s3cr3t-s3cr3t@",
    "mongodb+srv://user:s3cr3t-s3cr3t@host:1/x",
    "mongodb://user:s3cr3t-s3cr3t@host/x?w=0",
  ];
  for (const url of urls) {
    assert.throws(
      () => openMongoTarget({ url }),
      (error) => {
        assert.ok(error instanceof SpillwayError, String(error));
        assert.equal(error.code, "CONFIG_INVALID");
        assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /s3cr3t/);
        return true;
      },
    );
  }
});

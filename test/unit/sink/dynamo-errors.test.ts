import assert from "node:assert/strict";
import { test } from "node:test";
import { DynamoDBServiceException } from "@aws-sdk/client-dynamodb";
import { SpillwayError } from "../../../src/errors.ts";
import { classOf, refused } from "../../../src/sink/targets/dynamo-errors.ts";

function answered(name: string, message = "no"): Error {
  return new DynamoDBServiceException({ name, message, $fault: "client", $metadata: {} });
}

function systemError(code: string, name = "Error"): Error {
  return Object.assign(new Error(code), { code, name });
}

test("what DynamoDB asks to be tried again is no data error, nor is what it doesn't know itself", () => {
  const codes = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
    "SomethingNewException",
  ];
  for (const code of codes) assert.equal(classOf(answered(code)), "transient", code);
});

test("settings end the sink", () => {
  const codes = [
    "ResourceNotFoundException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "MissingAuthenticationTokenException",
    "InvalidSignatureException",
  ];
  for (const code of codes) assert.equal(classOf(answered(code)), "refused", code);
  assert.equal(classOf(Object.assign(new Error("none"), { name: "CredentialsProviderError" })), "refused");
});

test("an item is at fault only where no item's fault is excluded", () => {
  const validation = (message: string) => classOf(answered("ValidationException", message));
  assert.equal(validation("Item size has exceeded the maximum allowed size"), "data");
  assert.equal(validation("Type mismatch for Index Key price Expected: N Actual: S IndexName: by-price"), "data");
  assert.equal(validation("The provided key element does not match the schema"), "refused");
  assert.equal(validation("Missing the key id in the item"), "refused");
  assert.equal(classOf(answered("ItemCollectionSizeLimitExceededException")), "data");
});

test("a clock that is wrong passes, a secret that is wrong doesn't", () => {
  const signature = (message: string) => classOf(answered("InvalidSignatureException", message));
  assert.equal(signature("Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"), "transient");
  assert.equal(signature("The request signature we calculated does not match the signature you provided."), "refused");
});

test("networks, time-outs and answers of others pass; a mistake of ours is a surprise", () => {
  for (const code of ["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EPIPE", "CERT_HAS_EXPIRED", "HPE_INVALID_STATUS"]) {
    assert.equal(classOf(systemError(code)), "transient", code);
  }
  assert.equal(classOf(systemError("", "TimeoutError")), "transient");
  assert.equal(classOf(systemError("", "AbortError")), "transient");
  assert.equal(classOf(new SpillwayError("TIMEOUT", "late", { retryable: true })), "transient");
  assert.equal(classOf(Object.assign(new SyntaxError("<html>"), { $response: {} })), "transient");
  for (const surprise of [new TypeError("x is not a function"), systemError("ERR_OUT_OF_RANGE"), "text"]) {
    assert.throws(
      () => classOf(surprise),
      (error) => error === surprise,
    );
  }
});

test("a refusal says what to do, and keeps the signed request to itself", () => {
  const message = "The signature does not match.\n\nThe Canonical String was 'x-amz-security-token:s3cr3t'";
  const error = refused(answered("InvalidSignatureException", message), "prices");
  assert.equal(error.code, "DATABASE_REFUSED");
  assert.match(error.message, /prices.*InvalidSignatureException: The signature does not match\.\. Check credentials/);
  assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /s3cr3t/);
  assert.match(refused(answered("AccessDeniedException")).message, /Allow dynamodb:/);
});

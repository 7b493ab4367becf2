import type { ErrorContext } from "../errors.ts";
import { ERROR } from "./error-codes.ts";

/** As Kafka's ACLs name them. */
export type AclOperation = "READ" | "WRITE" | "CREATE" | "DESCRIBE" | "DESCRIBE_CONFIGS";

/** What to grant, so that a request is allowed that was answered with this code. The code names the kind of resource. */
export function grantFor(kafkaCode: number, context: ErrorContext, operation: AclOperation | undefined): string {
  const { resource, usually } = lacking(kafkaCode, context);
  return `Grant ${operation ?? usually} on ${resource} to this user`;
}

interface Lacking {
  readonly resource: string;
  /** What most requests need that touch such a resource. */
  readonly usually: AclOperation;
}

function lacking(kafkaCode: number, { topic, group, transactionalId }: ErrorContext): Lacking {
  switch (kafkaCode) {
    case ERROR.GROUP_AUTHORIZATION_FAILED:
      return { resource: named("group", group), usually: "READ" };
    case ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return { resource: named("transactional id", transactionalId), usually: "WRITE" };
    case ERROR.TOPIC_AUTHORIZATION_FAILED:
      return { resource: named("topic", topic), usually: "READ" };
    default:
      return { resource: "the cluster", usually: "DESCRIBE" };
  }
}

function named(kind: string, name: string | undefined): string {
  return name === undefined ? `the ${kind}` : `${kind} ${name}`;
}

/** The requests that tell which groups there are and who is in them. */
import { api } from "./api.ts";
import { array, bool, bytes, int16, int32, nullableString, string, struct, uuid } from "./codec.ts";

/** Groups of the classic protocol; any other is answered as one that is `Dead`. */
export const describeGroups = api(
  "DescribeGroups",
  15,
  5,
  struct({ groups: array(string), includeAuthorizedOperations: bool }),
  struct({
    throttleTimeMs: int32,
    groups: array(
      struct({
        errorCode: int16,
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: nullableString,
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: int32,
      }),
    ),
  }),
);

const assignment = struct({
  topicPartitions: array(struct({ topicId: uuid, topicName: string, partitions: array(int32) })),
});

/** Groups of the consumer protocol (KIP-848). Brokers before 3.7 don't know this request, nor such groups. */
export const consumerGroupDescribe = api(
  "ConsumerGroupDescribe",
  69,
  0,
  struct({ groupIds: array(string), includeAuthorizedOperations: bool }),
  struct({
    throttleTimeMs: int32,
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        groupId: string,
        groupState: string,
        groupEpoch: int32,
        assignmentEpoch: int32,
        assignorName: string,
        members: array(
          struct({
            memberId: string,
            instanceId: nullableString,
            rackId: nullableString,
            memberEpoch: int32,
            clientId: string,
            clientHost: string,
            subscribedTopicNames: array(string),
            subscribedTopicRegex: nullableString,
            assignment,
            targetAssignment: assignment,
          }),
        ),
        authorizedOperations: int32,
      }),
    ),
  }),
);

/** A broker knows the groups that it coordinates, of whatever protocol. */
export const listGroups = api(
  "ListGroups",
  16,
  4,
  struct({ statesFilter: array(string) }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    groups: array(struct({ groupId: string, protocolType: string, groupState: string })),
  }),
);

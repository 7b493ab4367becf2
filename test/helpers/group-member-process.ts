/**
 * A member of a group as a process of its own, to be killed. It prints a line of JSON for each generation.
 * Arguments: brokers, group, topic, instance id.
 */
import { GroupMember } from "../../src/kafka/group-member.ts";
import { groupOf, kafkaOf, testLog } from "./kafka.ts";

const [brokers = "", group = "", topic = "", instanceId] = process.argv.slice(2);
const member = new GroupMember({
  // Far longer than it takes to come back after a crash, on a busy machine too.
  ...groupOf(group, { instanceId, sessionTimeoutMs: 30_000 }),
  kafka: kafkaOf(brokers.split(",")),
  topics: [topic],
  signal: AbortSignal.timeout(60_000),
  log: testLog,
});
for await (const { id, assignment, signal } of member.generations()) {
  console.log(JSON.stringify({ id, partitions: assignment.map(({ partition }) => partition) }));
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

import java.math.BigInteger;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads whole topics by Kafka's own consumer, read_committed, and prints a line of JSON for each: how many records, how
 * many lie in another partition than Kafka's own partitioner chooses for their key, how many per partition, and a digest
 * of keys, values, timestamps and headers that doesn't depend on the order. Headers named spillway-* are left out of
 * the digest.
 *
 * Arguments: brokers, topics.
 */
public class TopicOracle {
    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        config.put("max.partition.fetch.bytes", "4194304");
        for (int i = 1; i < args.length; i++) report(config, args[i]);
    }

    private static void report(Properties config, String topic) throws Exception {
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long records = 0, misplaced = 0;
            BigInteger digest = BigInteger.ZERO;
            Map<Integer, Long> counts = new TreeMap<>();
            long giveUpAt = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                if (System.nanoTime() > giveUpAt) throw new IllegalStateException("the topic can't be read to its end");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    records++;
                    counts.merge(record.partition(), 1L, Long::sum);
                    if (record.key() != null
                            && BuiltInPartitioner.partitionForKey(record.key(), partitions.size()) != record.partition()) {
                        misplaced++;
                    }
                    digest = digest.add(digestOf(record));
                }
            }
            System.out.println("{\"records\":" + records + ",\"misplaced\":" + misplaced + ",\"digest\":\""
                    + digest.mod(BigInteger.TWO.pow(128)).toString(16) + "\",\"partitions\":{"
                    + counts.entrySet().stream().map(e -> "\"" + e.getKey() + "\":" + e.getValue())
                            .collect(Collectors.joining(",")) + "}}");
        }
    }

    private static BigInteger digestOf(ConsumerRecord<byte[], byte[]> record) throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        part(sha, record.key());
        part(sha, record.value());
        sha.update(Long.toString(record.timestamp()).getBytes());
        for (Header header : record.headers()) {
            if (header.key().startsWith("spillway-")) continue;
            part(sha, header.key().getBytes("UTF-8"));
            part(sha, header.value());
        }
        return new BigInteger(1, sha.digest());
    }

    private static void part(MessageDigest sha, byte[] bytes) {
        sha.update((bytes == null ? "null;" : bytes.length + ";").getBytes());
        if (bytes != null) sha.update(bytes);
    }
}

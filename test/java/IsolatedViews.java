import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Tells what Kafka's own consumer gives of a partition from an offset on, up to where its isolation level lets it read
 * now: a line of JSON with the number of records, that end, and a digest of offsets, keys and values in their order.
 *
 * Arguments: brokers, topic, then isolation level/partition/offset for each view.
 */
public class IsolatedViews {
    public static void main(String[] args) throws Exception {
        Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();
        try {
            for (String view : List.of(args).subList(2, args.length)) {
                String[] parts = view.split("/");
                var consumer = consumers.computeIfAbsent(parts[0], isolation -> open(args[0], isolation));
                System.out.println(read(consumer, new TopicPartition(args[1], Integer.parseInt(parts[1])),
                        Long.parseLong(parts[2])));
            }
        } finally {
            consumers.values().forEach(KafkaConsumer::close);
        }
    }

    private static KafkaConsumer<byte[], byte[]> open(String brokers, String isolation) {
        Properties config = new Properties();
        config.put("bootstrap.servers", brokers);
        config.put("isolation.level", isolation);
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "none");
        // The last fetch of a view waits for records that don't come, and the next view waits for it.
        config.put("fetch.max.wait.ms", "10");
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static String read(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long start) throws Exception {
        consumer.assign(List.of(partition));
        consumer.seek(partition, start);
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        long records = 0;
        long giveUpAt = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (consumer.position(partition) < end) {
            if (System.nanoTime() > giveUpAt) throw new IllegalStateException(partition + " can't be read to its end");
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                records++;
                digest.update(ByteBuffer.allocate(8).putLong(record.offset()).flip());
                part(digest, record.key());
                part(digest, record.value());
            }
        }
        return "{\"records\":" + records + ",\"end\":" + end + ",\"digest\":\""
                + HexFormat.of().formatHex(digest.digest()) + "\"}";
    }

    private static void part(MessageDigest digest, byte[] bytes) {
        digest.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).flip());
        if (bytes != null) digest.update(bytes);
    }
}

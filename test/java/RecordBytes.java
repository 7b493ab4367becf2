import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads whole topics by Kafka's own consumer, read_committed, and prints a line for each record, with tabs between:
 * topic, partition, offset, key, value, and headers as name=value with commas between. Keys and values are in base64, "-"
 * for null; a value of more than 100,000 bytes is "#", their number, ":" and their SHA-256.
 *
 * Arguments: brokers, topics.
 */
public class RecordBytes {
    private static final int SHOWN_BYTES = 100_000;

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        var out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16));
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = Arrays.stream(args).skip(1)
                    .flatMap(topic -> consumer.partitionsFor(topic).stream())
                    .map(info -> new TopicPartition(info.topic(), info.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long giveUpAt = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                if (System.nanoTime() > giveUpAt) throw new IllegalStateException("the topics can't be read to their ends");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    String headers = StreamSupport.stream(record.headers().spliterator(), false)
                            .map(header -> header.key() + "=" + text(header.value())).collect(Collectors.joining(","));
                    out.println(String.join("\t", record.topic(), String.valueOf(record.partition()),
                            String.valueOf(record.offset()), text(record.key()), text(record.value()), headers));
                }
            }
        }
        out.flush();
    }

    private static String text(byte[] bytes) {
        if (bytes == null) return "-";
        if (bytes.length <= SHOWN_BYTES) return Base64.getEncoder().encodeToString(bytes);
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return "#" + bytes.length + ":" + HexFormat.of().formatHex(digest);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}

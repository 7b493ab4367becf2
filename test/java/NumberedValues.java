import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads a whole topic, read_committed, whose values are numbers that rise within each partition, and prints as JSON:
 * the numbers there are, as ranges; how many records repeat a number; how many lie behind a higher one in their
 * partition.
 *
 * Arguments: brokers, topic.
 */
public class NumberedValues {
    public static void main(String[] args) {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        String topic = args[1];
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            BitSet seen = new BitSet();
            Map<Integer, Integer> highest = new HashMap<>();
            long duplicates = 0, misordered = 0;
            long giveUpAt = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                if (System.nanoTime() > giveUpAt) throw new IllegalStateException("the topic can't be read to its end");
                for (ConsumerRecord<byte[], String> record : consumer.poll(Duration.ofMillis(200))) {
                    int number = Integer.parseInt(record.value());
                    if (seen.get(number)) duplicates++;
                    seen.set(number);
                    if (number < highest.getOrDefault(record.partition(), -1)) misordered++;
                    highest.merge(record.partition(), number, Math::max);
                }
            }
            List<String> ranges = new ArrayList<>();
            for (int from = seen.nextSetBit(0); from >= 0; ) {
                int end = seen.nextClearBit(from);
                ranges.add("[" + from + "," + (end - 1) + "]");
                from = seen.nextSetBit(end);
            }
            System.out.println("{\"ranges\":[" + String.join(",", ranges) + "],\"distinct\":" + seen.cardinality()
                    + ",\"duplicates\":" + duplicates + ",\"misordered\":" + misordered + "}");
        }
    }
}

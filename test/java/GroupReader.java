import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads a topic as a member of a group by Kafka's own consumer, read_committed, and prints a line for each record:
 * partition, offset, key and value, with tabs between them. What it prints it has committed, and nothing else.
 *
 * Arguments: brokers, topic, group, the group's protocol (classic or consumer), and how much to read: so many records;
 * `all` there are when it begins; or whatever comes, to `stay`.
 */
public class GroupReader {
    public static void main(String[] args) {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("client.id", "java-" + args[3]);
        config.put("group.id", args[2]);
        config.put("group.protocol", args[3]);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        boolean all = args[4].equals("all"), stay = args[4].equals("stay");
        int left = all || stay ? Integer.MAX_VALUE : Integer.parseInt(args[4]);
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(args[1]));
            long giveUpAt = System.nanoTime() + Duration.ofSeconds(120).toNanos();
            while (consumer.assignment().isEmpty()) {
                if (System.nanoTime() > giveUpAt) throw new IllegalStateException("nothing was assigned");
                left = take(consumer, left);
            }
            Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
            while (left > 0 && !(all && ends.keySet().stream().allMatch(one -> consumer.position(one) >= ends.get(one)))) {
                if (!stay && System.nanoTime() > giveUpAt) throw new IllegalStateException("nothing more comes");
                left = take(consumer, left);
            }
        }
    }

    private static int take(KafkaConsumer<String, String> consumer, int left) {
        Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
            if (left == 0) break;
            left--;
            System.out.println(record.partition() + "\t" + record.offset() + "\t" + record.key() + "\t" + record.value());
            read.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        if (!read.isEmpty()) consumer.commitSync(read);
        return left;
    }
}

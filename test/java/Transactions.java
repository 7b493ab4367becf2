import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes what a read_committed reader has to tell apart: committed and aborted transactions of several producers,
 * interleaved over the partitions of a topic, short and long, with every codec, and plain records between them. Then it
 * says so in partition 0 of the control topic, and leaves one transaction that will be committed and one that will be
 * aborted open until a record comes in partition 1 of it.
 *
 * Arguments: brokers, topic, its number of partitions, control topic, seed.
 */
public class Transactions {
    private static final int STEPS = 160;
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

    private static String brokers, topic;
    private static int partitions;
    private static Random random;

    public static void main(String[] args) throws Exception {
        brokers = args[0];
        topic = args[1];
        partitions = Integer.parseInt(args[2]);
        random = new Random(Long.parseLong(args[4]));
        List<Writer> writers = new ArrayList<>();
        for (int i = 0; i < CODECS.length; i++) writers.add(new Writer(CODECS[i], topic + "-" + i));
        try (var plain = new KafkaProducer<byte[], byte[]>(config("lz4"), new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int step = 0; step < STEPS; step++) {
                int chosen = random.nextInt(writers.size() + 1);
                if (chosen == writers.size()) burst(plain);
                // The first writer's transactions are long: many of the others' lie within them.
                else writers.get(chosen).step(chosen == 0 ? 0.05 : 0.4);
            }
            for (Writer writer : writers) writer.end(random.nextBoolean());

            Writer held = writers.get(1), doomed = writers.get(2);
            for (int step = 0; step < 30; step++) {
                held.step(0);
                if (step > 5) doomed.step(0);
                if (step > 5) writers.get(3).step(0.4);
                burst(plain);
            }
            writers.get(3).end(true);
            plain.send(new ProducerRecord<>(args[3], 0, null, new byte[0])).get();
            awaitRecord(args[3]);
            held.end(true);
            doomed.end(false);
        } finally {
            for (Writer writer : writers) writer.producer.close();
        }
    }

    /** One transactional producer. */
    private static class Writer {
        final KafkaProducer<byte[], byte[]> producer;
        boolean open;

        Writer(String codec, String transactionalId) {
            Properties config = config(codec);
            config.put("transactional.id", transactionalId);
            producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
            producer.initTransactions();
        }

        void step(double ends) {
            if (!open) producer.beginTransaction();
            open = true;
            burst(producer);
            if (random.nextDouble() < ends) end(random.nextBoolean());
        }

        void end(boolean commit) {
            if (!open) return;
            if (commit) producer.commitTransaction();
            else producer.abortTransaction();
            open = false;
        }
    }

    private static Properties config(String codec) {
        Properties config = new Properties();
        config.put("bootstrap.servers", brokers);
        config.put("compression.type", codec);
        // Longer than a burst takes: it goes out when it is flushed, as one batch per partition.
        config.put("linger.ms", "1000");
        return config;
    }

    private static void burst(KafkaProducer<byte[], byte[]> producer) {
        for (int left = 1 + random.nextInt(8); left > 0; left--) {
            producer.send(new ProducerRecord<>(topic, random.nextInt(partitions), key(), value()));
        }
        producer.flush();
    }

    private static byte[] key() {
        switch (random.nextInt(6)) {
            case 0: return null;
            // What an abort marker and a commit marker have for a key.
            case 1: return new byte[4];
            case 2: return new byte[] {0, 0, 0, 1};
            default: return Integer.toString(random.nextInt(50)).getBytes();
        }
    }

    private static byte[] value() {
        if (random.nextInt(10) == 0) return null;
        byte[] value = new byte[random.nextInt(300)];
        random.nextBytes(value);
        return value;
    }

    private static void awaitRecord(String control) {
        Properties config = new Properties();
        config.put("bootstrap.servers", brokers);
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> sign = List.of(new TopicPartition(control, 1));
            consumer.assign(sign);
            consumer.seekToBeginning(sign);
            long giveUpAt = System.nanoTime() + Duration.ofSeconds(50).toNanos();
            while (consumer.poll(Duration.ofMillis(100)).isEmpty()) {
                if (System.nanoTime() > giveUpAt) throw new IllegalStateException("nobody said to go on");
            }
        }
    }
}

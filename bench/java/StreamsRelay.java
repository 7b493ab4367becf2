import java.io.FileInputStream;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The relay as one would write it with Kafka Streams: stream().to(), bytes as they are, the default partitioner.
 * Arguments: a properties file for StreamsConfig, the source topic, the target topic.
 */
public final class StreamsRelay {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(args[0])) {
      settings.load(file);
    }
    StreamsBuilder topology = new StreamsBuilder();
    topology
        .stream(args[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .to(args[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));

    KafkaStreams streams = new KafkaStreams(topology.build(settings), settings);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return null;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
  }
}

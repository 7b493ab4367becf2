import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** Prints Kafka's own definitions of the messages named, as they lie in kafka-clients, each behind a line with a mark. */
public class MessageDefinitions {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            String path = "common/message/" + name + ".json";
            try (InputStream in = MessageDefinitions.class.getClassLoader().getResourceAsStream(path)) {
                System.out.println("=== " + name);
                System.out.println(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
    }
}

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.CloseableIterator;
import org.apache.kafka.common.utils.Utils;

/**
 * Reads files of record batches by the classes that Kafka's own consumer and broker read them with, and prints a line of
 * JSON for each: its batches and their records, or why it can't be read. `describe.ts` says the same of what we read.
 *
 * Arguments: files.
 */
public class ReadBatches {
    /** Both as in describe.ts. */
    private static final int DIGEST_ABOVE_RECORDS = 100;
    private static final int HASH_ABOVE_BYTES = 300;

    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        for (String file : args) {
            ObjectNode result;
            try {
                result = describe(ByteBuffer.wrap(Files.readAllBytes(Path.of(file))));
            } catch (Exception error) {
                result = JSON.createObjectNode().put("error", error.toString());
            }
            byte[] line = (JSON.writeValueAsString(result) + "\n").getBytes(StandardCharsets.UTF_8);
            System.out.write(line, 0, line.length);
        }
        System.out.flush();
    }

    private static ObjectNode describe(ByteBuffer bytes) throws Exception {
        ObjectNode result = JSON.createObjectNode().put("kafka", AppInfoParser.getVersion());
        ArrayNode batches = result.putArray("batches");
        MemoryRecords records = MemoryRecords.readableRecords(bytes);
        if (records.validBytes() != records.sizeInBytes()) throw new IllegalStateException("bytes behind the last batch");
        for (MutableRecordBatch batch : records.batches()) {
            batch.ensureValid();
            describe(batch, batches.addObject());
        }
        return result;
    }

    private static void describe(MutableRecordBatch batch, ObjectNode node) throws Exception {
        node.put("baseOffset", Long.toString(batch.baseOffset()));
        node.put("lastOffset", Long.toString(batch.lastOffset()));
        node.put("codec", batch.compressionType().name);
        node.put("logAppendTime", batch.timestampType() == TimestampType.LOG_APPEND_TIME);
        node.put("maxTimestamp", Long.toString(batch.maxTimestamp()));
        node.put("transactional", batch.isTransactional());
        node.put("producerId", Long.toString(batch.producerId()));
        node.put("producerEpoch", batch.producerEpoch());
        node.put("baseSequence", batch.baseSequence());
        node.put("recordCount", batch.countOrNull());
        batch.deleteHorizonMs().ifPresent(horizon -> node.put("deleteHorizon", Long.toString(horizon)));
        boolean inFull = batch.countOrNull() <= DIGEST_ABOVE_RECORDS;
        ArrayNode records = inFull ? node.putArray("records") : null;
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        if (batch.isControlBatch()) node.put("control", "EMPTY");
        try (CloseableIterator<Record> iterator = batch.streamingIterator(BufferSupplier.NO_CACHING)) {
            while (iterator.hasNext()) {
                Record record = iterator.next();
                record.ensureValid();
                if (batch.isControlBatch()) node.put("control", ControlRecordType.parse(record.key()).name());
                ObjectNode described = describe(record);
                if (inFull) records.add(described);
                else digest.update((lineOf(described) + "\n").getBytes(StandardCharsets.UTF_8));
            }
        }
        if (!inFull) node.put("digest", HexFormat.of().formatHex(digest.digest()));
    }

    private static ObjectNode describe(Record record) throws Exception {
        ObjectNode node = JSON.createObjectNode();
        node.put("offset", Long.toString(record.offset()));
        node.put("timestamp", Long.toString(record.timestamp()));
        node.put("key", textOf(record.key()));
        node.put("value", textOf(record.value()));
        if (record.hasKey()) node.put("keyHash", Utils.toPositive(Utils.murmur2(bytesOf(record.key()))));
        ArrayNode headers = node.putArray("headers");
        for (Header header : record.headers()) {
            byte[] value = header.value();
            headers.addArray().add(header.key()).add(value == null ? null : textOf(ByteBuffer.wrap(value)));
        }
        return node;
    }

    private static String textOf(ByteBuffer buffer) throws Exception {
        if (buffer == null) return null;
        byte[] bytes = bytesOf(buffer);
        if (bytes.length <= HASH_ABOVE_BYTES) return Base64.getEncoder().encodeToString(bytes);
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes);
        return bytes.length + " bytes, sha256 " + HexFormat.of().formatHex(hash);
    }

    private static byte[] bytesOf(ByteBuffer buffer) {
        return Utils.toArray(buffer);
    }

    /** A record in one line, for the digest; header names are not escaped in any way, so they come with their length. */
    private static String lineOf(ObjectNode record) {
        StringBuilder line = new StringBuilder();
        for (String field : new String[] {"offset", "timestamp", "key", "value"}) line.append(part(record, field));
        record.get("headers").forEach(header -> {
            String name = header.get(0).textValue();
            line.append(name.length()).append(' ').append(name).append(' ').append(header.get(1).textValue()).append(' ');
        });
        return line.toString();
    }

    private static String part(ObjectNode record, String field) {
        return record.get(field).textValue() + " ";
    }
}

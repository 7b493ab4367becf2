import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongPredicate;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.BufferSupplier;

/**
 * Writes record batches by the classes that Kafka's own producer and broker write them with, one file per case. All
 * content is fixed, so that the same jars write the same bytes. What the files hold is told by ReadBatches.
 *
 * Argument: the folder for the files.
 */
public class WriteVectors {
    private static final long TIME = 1_700_000_000_000L;
    private static final long APPENDED = TIME + 5_000;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int LARGE_BYTES = 3 * 1024 * 1024;

    private static Path folder;

    public static void main(String[] args) throws Exception {
        folder = Path.of(args[0]);
        for (String codec : CODECS) {
            write("content-" + codec, plain(codec, 0, content()));
            write("value-3mb-" + codec, plain(codec, 7, large()));
            write("log-append-time-" + codec, logAppendTime(codec, 20));
            write("compacted-holes-" + codec, compacted(plain(codec, 1_000, numbered(40)), offset -> offset % 7 == 3));
        }
        write("records-130000-none", plain("none", 0, numbered(130_000)));
        write("records-130000-lz4", plain("lz4", 1L << 40, numbered(130_000)));
        write("timestamps", plain("none", 3, timestamps()));
        write("several", several());
        write("levels", levels());
        write("transactions", transactions());
        write("control", control());
        write("compacted-empty", compactedEmpty());
        write("compacted-tombstones", compacted(plain("zstd", 50, tombstones()), offset -> offset != 51));
    }

    /** Every kind of key, of value and of headers. */
    private static SimpleRecord[] content() {
        return new SimpleRecord[] {
            record(0, null, "no key"),
            record(1, "", "an empty key"),
            record(2, "a", null),
            record(3, "ab", ""),
            record(4, "abc", "v"),
            record(-5, "abcd", "earlier than the first"),
            record(6, "abcde", "x".repeat(200)),
            record(7, "ключ-鍵-🔑", "значение-値-💧"),
            record(8, null, null),
            new SimpleRecord(TIME, bytes("key"), new byte[] {0, (byte) 0x80, (byte) 0xff, (byte) 0xfe}, headers(
                    header("text", "value"), header("null", null), header("empty", ""))),
            new SimpleRecord(TIME, bytes("key"), bytes("repeated"), headers(
                    header("h", "1"), header("h", "2"), header("h", null), header("h", "1"))),
            new SimpleRecord(TIME, null, bytes("names"), headers(
                    header("", "of an empty name"), header("заголовок", "not ASCII"), header("x".repeat(70), "long"))),
            new SimpleRecord(TIME, new byte[] {(byte) 0xff, 0, (byte) 0xfe}, null, headers(header("only", null))),
            new SimpleRecord(TIME, bytes("many"), bytes("headers"), manyHeaders(130)),
        };
    }

    private static SimpleRecord[] large() {
        byte[] value = new byte[LARGE_BYTES];
        byte[] pattern = bytes("{\"symbol\":\"btc\",\"price\":67123.5,\"seq\":");
        for (int i = 0; i < value.length; i++) value[i] = pattern[i % pattern.length];
        // Not one repetition alone: blocks and windows must be told apart.
        for (int i = 0; i < value.length; i += 65_537) value[i] = (byte) (i / 65_537);
        return new SimpleRecord[] {
            record(0, "before", "small"), new SimpleRecord(TIME + 1, bytes("large"), value), record(2, "after", "small"),
        };
    }

    private static SimpleRecord[] numbered(int count) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) records[i] = record(i / 100, "key-" + i % 10, "v" + i % 3);
        return records;
    }

    /** All that a producer may write: none (-1), and such as no double can hold. */
    private static SimpleRecord[] timestamps() {
        long[] values = {TIME, -1, 0, 1, (1L << 53) - 1, (1L << 53) + 1, Long.MAX_VALUE, Long.MAX_VALUE - 1, TIME};
        SimpleRecord[] records = new SimpleRecord[values.length];
        for (int i = 0; i < values.length; i++) records[i] = new SimpleRecord(values[i], bytes("t"), bytes("" + values[i]));
        return records;
    }

    private static SimpleRecord[] tombstones() {
        return new SimpleRecord[] {record(0, "a", null), record(1, "b", "1"), record(2, "c", null), record(3, "d", "2")};
    }

    /** As a broker sets it on a batch that came with other timestamps, and as one that writes the batch anew does. */
    private static ByteBuffer logAppendTime(String codec, long baseOffset) {
        MemoryRecords stamped = MemoryRecords.readableRecords(plain(codec, baseOffset, content()));
        stamped.batches().forEach(batch -> batch.setMaxTimestamp(TimestampType.LOG_APPEND_TIME, APPENDED));
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), RecordBatch.MAGIC_VALUE_V2,
                Compression.of(codec).build(), TimestampType.LOG_APPEND_TIME, baseOffset + 20, APPENDED + 1);
        for (SimpleRecord record : numbered(5)) builder.append(record);
        return join(stamped.buffer(), builder.build().buffer());
    }

    /** Batches of all codecs behind each other, with gaps between their offsets. */
    private static ByteBuffer several() {
        ByteBuffer all = ByteBuffer.allocate(0);
        for (int i = 0; i < CODECS.size(); i++) {
            all = join(all, plain(CODECS.get(i), 100L * i, numbered(3 + i)), plain("none", 100L * i + 50, numbered(1)));
        }
        return all;
    }

    /** Other levels than the codecs' own, over more than one block of each. */
    private static ByteBuffer levels() {
        Compression[] levels = {
            Compression.gzip().level(1).build(), Compression.gzip().level(9).build(), Compression.lz4().level(1).build(),
            Compression.lz4().level(17).build(), Compression.zstd().level(-50).build(), Compression.zstd().level(22).build(),
        };
        ByteBuffer all = ByteBuffer.allocate(0);
        for (int i = 0; i < levels.length; i++) {
            all = join(all, MemoryRecords.withRecords(5_000L * i, levels[i], numbered(5_000)).buffer());
        }
        return all;
    }

    /** Two producers' transactions through each other: of each one is aborted and one committed. */
    private static ByteBuffer transactions() {
        return join(
                transactional("none", 0, 1, 0, record(0, "a", "aborted")),
                transactional("lz4", 1, 2, 0, record(0, "b", "committed"), record(1, "b", "committed too")),
                transactional("zstd", 3, 1, 1, record(0, "a", "aborted too")),
                marker(4, 1, ControlRecordType.ABORT),
                plain("none", 5, record(0, "p", "in no transaction")),
                transactional("gzip", 6, 1, 2, record(0, "a", "committed")),
                marker(7, 2, ControlRecordType.COMMIT),
                transactional("snappy", 8, 2, Integer.MAX_VALUE, record(0, "b", "aborted"), record(1, "b", "aborted")),
                marker(10, 1, ControlRecordType.COMMIT),
                marker(11, 2, ControlRecordType.ABORT),
                plain("none", 12, record(0, "p", "in no transaction")));
    }

    /** Markers and a leader change: nothing of it is anybody's data. */
    private static ByteBuffer control() {
        return join(
                marker(5, 9, ControlRecordType.COMMIT),
                marker(6, 9, ControlRecordType.ABORT),
                MemoryRecords.withLeaderChangeMessage(7, TIME, 0, ByteBuffer.allocate(256), new LeaderChangeMessage()
                        .setLeaderId(1)).buffer(),
                plain("none", 8, record(0, "k", "data")));
    }

    /** Batches that compaction has left nothing of but their header, which keeps the producer's state. */
    private static ByteBuffer compactedEmpty() {
        LongPredicate none = offset -> false;
        return join(
                compacted(plain("gzip", 5, numbered(10)), none),
                plain("none", 15, numbered(2)),
                compacted(transactional("lz4", 17, 4, 0, numbered(3)), none),
                compacted(marker(20, 4, ControlRecordType.ABORT), none),
                compacted(marker(21, 4, ControlRecordType.COMMIT), none),
                transactional("none", 22, 4, 3, numbered(1)),
                compacted(logAppendTime("none", 30), none));
    }

    private static ByteBuffer plain(String codec, long baseOffset, SimpleRecord... records) {
        return MemoryRecords.withRecords(baseOffset, Compression.of(codec).build(), records).buffer();
    }

    private static ByteBuffer transactional(
            String codec, long baseOffset, long producerId, int sequence, SimpleRecord... records) {
        return MemoryRecords.withTransactionalRecords(
                baseOffset, Compression.of(codec).build(), producerId, (short) 3, sequence, 2, records).buffer();
    }

    private static ByteBuffer marker(long offset, long producerId, ControlRecordType type) {
        return MemoryRecords.withEndTransactionMarker(
                offset, TIME, 2, producerId, (short) 3, new EndTransactionMarker(type, 1)).buffer();
    }

    /** What the log cleaner leaves of batches; none of them is dropped, even where no record is left. */
    private static ByteBuffer compacted(ByteBuffer batches, LongPredicate retained) {
        MemoryRecords.RecordFilter filter = new MemoryRecords.RecordFilter(TIME, 86_400_000L) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(BatchRetention.RETAIN_EMPTY, false);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return retained.test(record.offset());
            }
        };
        ByteBuffer kept = ByteBuffer.allocate(batches.remaining() + 1024);
        ByteBuffer output = MemoryRecords.readableRecords(batches)
                .filterTo(filter, kept, BufferSupplier.NO_CACHING).outputBuffer();
        output.flip();
        return output;
    }

    private static SimpleRecord record(long later, String key, String value) {
        return new SimpleRecord(TIME + later, bytes(key), bytes(value));
    }

    private static Header[] headers(Header... headers) {
        return headers;
    }

    private static Header[] manyHeaders(int count) {
        Header[] headers = new Header[count];
        for (int i = 0; i < count; i++) headers[i] = header("h" + i % 4, "" + i);
        return headers;
    }

    private static Header header(String key, String value) {
        return new RecordHeader(key, bytes(value));
    }

    private static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    private static ByteBuffer join(ByteBuffer... parts) {
        int length = 0;
        for (ByteBuffer part : parts) length += part.remaining();
        ByteBuffer all = ByteBuffer.allocate(length);
        for (ByteBuffer part : parts) all.put(part.duplicate());
        return all.flip();
    }

    private static void write(String name, ByteBuffer batches) throws Exception {
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(batches.duplicate()).batches()) batch.ensureValid();
        byte[] bytes = new byte[batches.remaining()];
        batches.duplicate().get(bytes);
        Files.write(folder.resolve(name + ".bin"), bytes);
    }
}

package dev.weir.load;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends records at a rate with a producer as it comes: idempotent, acks=all. Ends after
 * {@code --records}, or when standard input says {@code stop} or ends ({@code --records 0}).
 */
final class Produce {
    private static final int PROGRESS_MS = 1000;
    private static final int FAILURES_SHOWN = 20;

    private final Options options;
    private final String topic;
    private final long records;
    private final long markAt;
    private final double perNano;
    private final int size;
    private final Corpus corpus;
    private final Ledger ledger;
    private final Pauses pauses = new Pauses();
    private final AtomicLong acknowledged = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final Map<String, Long> failures = new TreeMap<>();
    private volatile boolean stopped;
    private long sent;

    Produce(Options options) throws IOException {
        this.options = options;
        topic = options.text("topic");
        records = options.number("records", 0);
        markAt = (long) (options.fraction("mark-at", -1) * records);
        perNano = options.number("rate", 20_000) / 1e9;
        size = (int) options.number("size", 200);
        corpus = Corpus.read(options.all("text"));
        ledger = new Ledger(options.text("run"), (int) options.number("keys", 1000));
    }

    int run() throws Exception {
        if (records == 0) {
            stopOnInput();
        }
        long start;
        long end;
        var properties = options.client(Map.of());
        var bytes = new ByteArraySerializer();
        try (var producer = new KafkaProducer<>(properties, bytes, bytes)) {
            producer.partitionsFor(topic);   // connected before the clock starts
            start = System.nanoTime();
            send(producer, start);
            producer.flush();
            end = System.nanoTime();
        }
        report((end - start) / 1e9);
        return failed.get() == 0 ? 0 : 3;
    }

    private void send(KafkaProducer<byte[], byte[]> producer, long start) throws InterruptedException {
        long progress = start;
        while (!stopped && (records == 0 || sent < records)) {
            long now = System.nanoTime();
            if (now - progress >= PROGRESS_MS * 1_000_000L) {
                progress = now;
                progress(now - start);
            }
            if (sent >= (now - start) * perNano) {
                Thread.sleep(1);
                continue;
            }
            int lane = (int) (sent % ledger.lanes());
            sendOne(producer, lane, ledger.next(lane));
            sent++;
            if (sent == markAt) {
                Events.emit("mark", Map.of("sent", sent, "acknowledged", acknowledged.get()));
            }
        }
    }

    private void sendOne(KafkaProducer<byte[], byte[]> producer, int lane, int sequence) {
        byte[] value = new Stamp(ledger.run, lane, sequence).value(corpus, size);
        var one = new ProducerRecord<>(topic, Stamp.key(lane), value);
        try {
            producer.send(one, (metadata, error) -> answered(lane, sequence, metadata, error));
        } catch (RuntimeException error) {
            answered(lane, sequence, null, error);
        }
    }

    private void answered(int lane, int sequence, RecordMetadata metadata, Exception error) {
        if (error != null) {
            failed.incrementAndGet();
            synchronized (failures) {
                if (failures.merge(error.toString(), 1L, Long::sum) == 1 && failures.size() <= FAILURES_SHOWN) {
                    Events.emit("failure", Map.of("error", error.toString()));
                }
            }
            return;
        }
        ledger.acknowledge(lane, sequence);
        acknowledged.incrementAndGet();
        pauses.acknowledged(metadata.partition());
    }

    private void progress(long nanos) {
        Events.emit("progress", Map.of("sent", sent, "acknowledged", acknowledged.get(),
                "failed", failed.get(), "records", records, "seconds", nanos / 1e9));
    }

    private void report(double seconds) throws IOException {
        String ledgerFile = options.text("ledger", null);
        if (ledgerFile != null) {
            ledger.write(Path.of(ledgerFile));
        }
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("run", ledger.run);
        result.put("sent", sent);
        result.put("acknowledged", acknowledged.get());
        result.put("failed", failed.get());
        result.put("failures", failures);
        result.put("seconds", seconds);
        result.put("perSecond", acknowledged.get() / seconds);
        result.put("pauses", pauses.report());
        Events.result(options.text("out", null), result);
    }

    private void stopOnInput() {
        Input.onStop(() -> stopped = true);
    }
}

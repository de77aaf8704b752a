package dev.weir.load;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * One member of a group that processes what it polls (a line {@code partition offset lane sequence}
 * each), then commits. With {@code --halt-after N} the process dies, as if killed, once N records
 * are processed and before they are committed.
 */
final class Member implements ConsumerRebalanceListener {
    private static final Duration POLL = Duration.ofMillis(200);
    private static final int KILLED = 137;

    private final Options options;
    private final String topic;
    private final long haltAfter;
    private volatile boolean stopped;
    private long processed;

    Member(Options options) {
        this.options = options;
        topic = options.text("topic");
        haltAfter = options.number("halt-after", Long.MAX_VALUE);
    }

    int run() throws Exception {
        Input.onStop(() -> stopped = true);
        var properties = options.client(Map.of(
                "group.id", options.text("group"), "auto.offset.reset", "earliest",
                "enable.auto.commit", "false", "max.poll.records", options.text("batch", "500")));
        var bytes = new ByteArrayDeserializer();
        Path journal = Path.of(options.text("journal"));
        try (var consumer = new KafkaConsumer<>(properties, bytes, bytes);
                var out = new PrintWriter(Files.newBufferedWriter(journal, StandardCharsets.US_ASCII))) {
            consumer.subscribe(List.of(topic), this);
            while (!stopped) {
                var polled = consumer.poll(POLL);
                if (polled.isEmpty()) {
                    continue;
                }
                polled.forEach(one -> process(one, out));
                out.flush();
                if (processed >= haltAfter) {
                    Events.emit("halting", Map.of("processed", processed, "uncommitted", polled.count()));
                    Runtime.getRuntime().halt(KILLED);
                }
                consumer.commitSync();
                Events.emit("committed", Map.of("processed", processed, "count", polled.count()));
            }
        }
        Events.emit("result", Map.of("processed", processed));
        return 0;
    }

    private void process(ConsumerRecord<byte[], byte[]> one, PrintWriter out) {
        Stamp stamp = Stamp.read(one.key(), one.value());
        int lane = stamp == null ? -1 : stamp.lane();
        int sequence = stamp == null ? -1 : stamp.sequence();
        out.println(one.partition() + " " + one.offset() + " " + lane + " " + sequence);
        processed++;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        tell("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        tell("revoked", partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        tell("lost", partitions);
    }

    private static void tell(String kind, Collection<TopicPartition> partitions) {
        var numbers = partitions.stream().map(TopicPartition::partition).sorted().toList();
        Events.emit(kind, Map.of("partitions", numbers));
    }
}

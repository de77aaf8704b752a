package dev.weir.load;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A consumer group of {@code --members} reads a topic to the end it had, and checks every record. */
final class Consume {
    private static final Duration POLL = Duration.ofMillis(200);
    private static final int PROGRESS_MS = 1000;

    private final Options options;
    private final String topic;
    private final Check check;
    private final Map<TopicPartition, Long> missing = new ConcurrentHashMap<>();
    private final long deadline;
    private volatile boolean failed;

    Consume(Options options) throws IOException {
        this.options = options;
        topic = options.text("topic");
        check = new Check(Ledger.read(Path.of(options.text("ledger"))));
        deadline = System.nanoTime() + options.number("timeout", 300) * 1_000_000_000L;
    }

    int run() throws Exception {
        findEnds();
        long start = System.nanoTime();
        List<Thread> members = new ArrayList<>();
        for (int i = 0; i < options.number("members", 1); i++) {
            Thread member = new Thread(this::member, "member-" + i);
            member.start();
            members.add(member);
        }
        while (members.stream().anyMatch(Thread::isAlive)) {
            Thread.sleep(PROGRESS_MS);
            Events.emit("progress", Map.of("received", check.received(), "partitionsLeft", missing.size()));
        }
        boolean complete = missing.isEmpty() && !failed;
        var report = check.report(complete, (System.nanoTime() - start) / 1e9);
        Events.result(options.text("out", null), report);
        return Boolean.TRUE.equals(report.get("good")) ? 0 : 3;
    }

    /** What every partition has to be read up to; empty ones are done at once. */
    private void findEnds() {
        try (var consumer = consumer(options.client(Map.of()))) {
            var partitions = consumer.partitionsFor(topic, Duration.ofSeconds(60)).stream()
                    .map(info -> new TopicPartition(topic, info.partition())).toList();
            missing.putAll(consumer.endOffsets(partitions, Duration.ofSeconds(60)));
            var starts = consumer.beginningOffsets(partitions, Duration.ofSeconds(60));
            missing.entrySet().removeIf(end -> end.getValue() <= starts.get(end.getKey()));
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Properties properties) {
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void member() {
        var defaults = Map.of("group.id", options.text("group"), "auto.offset.reset", "earliest");
        try (var consumer = consumer(options.client(defaults))) {
            consumer.subscribe(List.of(topic));
            while (!missing.isEmpty() && !failed && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> one : consumer.poll(POLL)) {
                    check.take(one);
                    // The record that completes a partition ends the wait for it.
                    missing.computeIfPresent(new TopicPartition(one.topic(), one.partition()),
                            (partition, end) -> one.offset() + 1 >= end ? null : end);
                }
            }
        } catch (RuntimeException error) {
            failed = true;
            Events.emit("failure", Map.of("error", error.toString()));
        }
    }
}

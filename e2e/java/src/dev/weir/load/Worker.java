package dev.weir.load;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A consumer as it runs in a pod: {@code --rate} records a second at most, a commit after each
 * batch, and at SIGTERM it commits and leaves its group. With {@code --downstream} there is something
 * behind it that takes no more than so many records a second from all consumers together: each has
 * the part of it that it has of the partitions.
 */
final class Worker {
    private static final Duration POLL = Duration.ofMillis(500);
    private static final long SECOND_NS = 1_000_000_000L;

    private final Options options;
    private volatile boolean stopped;

    Worker(Options options) {
        this.options = options;
    }

    int run() throws Exception {
        double rate = options.fraction("rate", 1_000);
        double downstream = options.fraction("downstream", Double.POSITIVE_INFINITY);
        String topic = options.text("topic");
        // A batch takes a quarter of a second, so that a commit is never far behind.
        long batch = Math.max(1, Math.round(rate / 4));
        var properties = options.client(Map.of(
                "group.id", options.text("group"), "auto.offset.reset", "earliest",
                "enable.auto.commit", "false", "max.poll.records", Long.toString(batch)));
        var bytes = new ByteArrayDeserializer();
        var left = new CountDownLatch(1);
        var consumer = new KafkaConsumer<>(properties, bytes, bytes);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(consumer, left), "stop"));
        try (consumer) {
            consumer.subscribe(List.of(topic));
            while (!stopped) {
                var polled = consumer.poll(POLL);
                if (!polled.isEmpty()) {
                    double share = (double) consumer.assignment().size() / consumer.partitionsFor(topic).size();
                    work(Math.round(polled.count() * SECOND_NS / Math.min(rate, downstream * share)));
                    commit(consumer, polled.count());
                }
            }
        } catch (WakeupException asked) {
            // What was not committed is somebody else's now.
        } finally {
            left.countDown();
        }
        return 0;
    }

    private static void commit(KafkaConsumer<?, ?> consumer, int count) {
        try {
            consumer.commitSync();
            Events.emit("committed", Map.of("count", count));
        } catch (RebalanceInProgressException | CommitFailedException shared) {
            // What is still ours after the rebalance is committed with the next batch.
        }
    }

    private void stop(KafkaConsumer<?, ?> consumer, CountDownLatch left) {
        stopped = true;
        consumer.wakeup();
        try {
            left.await();
        } catch (InterruptedException enough) {
            Thread.currentThread().interrupt();
        }
    }

    private static void work(long nanos) throws InterruptedException {
        Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
    }
}

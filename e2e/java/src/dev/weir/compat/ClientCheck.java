package dev.weir.compat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The Java clients against a server: each check prints {@code ok NAME} or {@code FAILED NAME why}. */
public final class ClientCheck {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private interface Check {
        void run() throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private ClientCheck(String bootstrap) {
        this.bootstrap = bootstrap;
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] args) {
        ClientCheck checks = new ClientCheck(args[0]);
        boolean good = true;
        for (Map.Entry<String, Check> check : checks.all().entrySet()) {
            try {
                check.getValue().run();
                System.out.println("ok " + check.getKey());
            } catch (Exception | AssertionError failure) {
                good = false;
                System.out.println("FAILED " + check.getKey() + " " + failure);
                failure.printStackTrace();
            }
        }
        checks.admin.close(Duration.ofSeconds(5));
        System.exit(good ? 0 : 1);
    }

    private Map<String, Check> all() {
        Map<String, Check> checks = new LinkedHashMap<>();
        for (String acks : List.of("0", "1", "all")) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                checks.put("produce_acks_" + acks + "_" + codec, () -> produceAndRead(acks, codec));
            }
        }
        checks.put("headers_and_null_values", this::headersAndNullValues);
        checks.put("group_shares_cooperatively", this::groupSharesCooperatively);
        checks.put("static_member_keeps_its_share", this::staticMemberKeepsItsShare);
        checks.put("commit_with_metadata", this::commitWithMetadata);
        checks.put("seek_by_time", this::seekByTime);
        checks.put("delete_records_moves_the_start", this::deleteRecordsMovesTheStart);
        checks.put("read_committed_sees_plain_records", this::readCommittedSeesPlainRecords);
        checks.put("max_timestamp_is_found", this::maxTimestampIsFound);
        checks.put("too_large_is_refused", this::tooLargeIsRefused);
        checks.put("unknown_topic_is_said", this::unknownTopicIsSaid);
        checks.put("cluster_is_described", this::clusterIsDescribed);
        return checks;
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private String topic(int partitions) throws Exception {
        String name = "java-" + UUID.randomUUID();
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
        return name;
    }

    private KafkaProducer<String, String> producer(String... settings) {
        Properties properties = properties(settings);
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    private KafkaConsumer<String, String> consumer(String... settings) {
        Properties properties = properties(settings);
        properties.putIfAbsent("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private Properties properties(String... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) {
            properties.put(settings[i], settings[i + 1]);
        }
        return properties;
    }

    private static void send(KafkaProducer<String, String> producer, String topic, int count) throws Exception {
        var sent = IntStream.range(0, count)
                .mapToObj(i -> producer.send(new ProducerRecord<>(topic, "k" + i % 7, "v" + i))).toList();
        for (var one : sent) {
            one.get();
        }
    }

    private static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (got.size() < count) {
            check(System.nanoTime() < until, got.size() + " of " + count + " came");
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        return got;
    }

    private static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count).mapToObj(i -> new TopicPartition(topic, i)).toList();
    }

    private List<ConsumerRecord<String, String>> readAll(String topic, int partitions, int count, String... settings) {
        try (var consumer = consumer(settings)) {
            consumer.assign(partitions(topic, partitions));
            consumer.seekToBeginning(consumer.assignment());
            return read(consumer, count);
        }
    }

    private void produceAndRead(String acks, String codec) throws Exception {
        String topic = topic(3);
        try (var warm = producer()) {
            send(warm, topic, 1);   // leaders are in place: with acks=0 nobody would say so
        }
        String idempotent = acks.equals("all") ? "true" : "false";
        try (var producer = producer("acks", acks, "compression.type", codec, "enable.idempotence", idempotent)) {
            send(producer, topic, 500);
        }
        Set<String> values = readAll(topic, 3, 501).stream().map(ConsumerRecord::value).collect(Collectors.toSet());
        check(values.size() == 500, values.size() + " different values");
    }

    private void headersAndNullValues() throws Exception {
        String topic = topic(1);
        try (var producer = producer()) {
            var record = new ProducerRecord<String, String>(topic, "k", null);
            record.headers().add("h", "x".getBytes(StandardCharsets.UTF_8));
            producer.send(record).get();
        }
        var got = readAll(topic, 1, 1).get(0);
        check(got.value() == null && got.key().equals("k"), "key and value");
        check(Arrays.equals(got.headers().lastHeader("h").value(), new byte[] {'x'}), "header");
    }

    private static boolean shared(List<KafkaConsumer<String, String>> members, int partitions) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < until) {
            members.forEach(member -> member.poll(Duration.ofMillis(100)));
            Set<TopicPartition> all = members.stream().flatMap(m -> m.assignment().stream()).collect(Collectors.toSet());
            int sum = members.stream().mapToInt(m -> m.assignment().size()).sum();
            if (all.size() == partitions && sum == partitions && members.stream().noneMatch(m -> m.assignment().isEmpty())) {
                return true;
            }
        }
        return false;
    }

    private void groupSharesCooperatively() throws Exception {
        String topic = topic(4);
        String[] settings = {"group.id", topic, "partition.assignment.strategy", CooperativeStickyAssignor.class.getName()};
        try (var first = consumer(settings)) {
            first.subscribe(List.of(topic));
            check(shared(List.of(first), 4), "one member has all");
            try (var second = consumer(settings)) {
                second.subscribe(List.of(topic));
                check(shared(List.of(first, second), 4), "two members share");
            }
            check(shared(List.of(first), 4), "the one that stays has all again");
        }
    }

    private void staticMemberKeepsItsShare() throws Exception {
        String topic = topic(4);
        String[] settings = {"group.id", topic, "session.timeout.ms", "20000"};
        var one = with(settings, "group.instance.id", "one");
        var two = with(settings, "group.instance.id", "two");
        try (var first = consumer(one)) {
            first.subscribe(List.of(topic));
            Set<TopicPartition> before;
            try (var second = consumer(two)) {
                second.subscribe(List.of(topic));
                check(shared(List.of(first, second), 4), "two members share");
                before = second.assignment();
            }
            try (var again = consumer(two)) {
                again.subscribe(List.of(topic));
                check(shared(List.of(first, again), 4), "they share again");
                check(again.assignment().equals(before), again.assignment() + " instead of " + before);
            }
        }
    }

    private static String[] with(String[] settings, String... more) {
        String[] all = Arrays.copyOf(settings, settings.length + more.length);
        System.arraycopy(more, 0, all, settings.length, more.length);
        return all;
    }

    private void commitWithMetadata() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer(); var consumer = consumer("group.id", topic)) {
            send(producer, topic, 10);
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(4, "so far")));
            var found = consumer.committed(Set.of(partition)).get(partition);
            check(found.offset() == 4 && found.metadata().equals("so far"), found.toString());
        }
        var listed = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        check(listed.get(partition).offset() == 4, listed.toString());
    }

    private void seekByTime() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer(); var consumer = consumer()) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(topic, 0, 1_000_000L + i * 1000, "k", "v" + i)).get();
            }
            consumer.assign(List.of(partition));
            var found = consumer.offsetsForTimes(Map.of(partition, 1_004_500L)).get(partition);
            check(found.offset() == 5 && found.timestamp() == 1_005_000L, found.toString());
            consumer.seek(partition, found.offset());
            check(read(consumer, 5).get(0).value().equals("v5"), "the first record from there");
        }
    }

    private void deleteRecordsMovesTheStart() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer(); var consumer = consumer()) {
            send(producer, topic, 20);
            var low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(15))).lowWatermarks().get(partition).get();
            check(low.lowWatermark() == 15, "low watermark " + low.lowWatermark());
            check(consumer.beginningOffsets(List.of(partition)).get(partition) == 15, "beginning");
            consumer.assign(List.of(partition));
            consumer.seek(partition, 3);   // gone: reset to the earliest
            check(read(consumer, 5).get(0).offset() == 15, "first record that is left");
        }
    }

    private void readCommittedSeesPlainRecords() throws Exception {
        String topic = topic(1);
        try (var producer = producer()) {
            send(producer, topic, 10);
        }
        check(readAll(topic, 1, 10, "isolation.level", "read_committed").size() == 10, "ten records");
    }

    private void maxTimestampIsFound() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer("linger.ms", "0")) {
            for (long time : new long[] {3000, 9000, 6000}) {
                producer.send(new ProducerRecord<>(topic, 0, time, "k", "v")).get();
            }
        }
        var found = admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).partitionResult(partition).get();
        check(found.offset() == 1 && found.timestamp() == 9000, found.toString());
    }

    private void tooLargeIsRefused() throws Exception {
        String topic = topic(1);
        try (var producer = producer("max.request.size", "10000000", "buffer.memory", "50000000")) {
            producer.send(new ProducerRecord<>(topic, "k", "x".repeat(3_000_000))).get();
            check(false, "3 MB were taken");
        } catch (ExecutionException error) {
            check(error.getCause() instanceof RecordTooLargeException, error.getCause().toString());
        }
    }

    private void unknownTopicIsSaid() throws Exception {
        try {
            admin.describeTopics(List.of("nobody-made-this")).allTopicNames().get();
            check(false, "described a topic that is not there");
        } catch (ExecutionException error) {
            check(error.getCause() instanceof UnknownTopicOrPartitionException, error.getCause().toString());
        }
    }

    private void clusterIsDescribed() throws Exception {
        var cluster = admin.describeCluster();
        check(cluster.nodes().get().size() == 1, "one node");
        check(!cluster.clusterId().get().isEmpty(), "a cluster id");
        check(cluster.controller().get() != null, "a controller");
    }
}

package dev.weir.load;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.config.ConfigResource;

/** {@code admin create|grow|alter|delete|describe TOPIC [name=value...]}: one call, one answer. */
final class TopicAdmin {
    private final Options options;

    TopicAdmin(Options options) {
        this.options = options;
    }

    int run() throws Exception {
        String verb = options.words.get(0);
        String topic = options.words.get(1);
        try (Admin admin = Admin.create(options.client(Map.of()))) {
            switch (verb) {
                case "create" -> create(admin, topic);
                case "grow" -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(partitions()))).all().get();
                case "alter" -> alter(admin, topic);
                case "delete" -> admin.deleteTopics(List.of(topic)).all().get();
                case "describe" -> describe(admin, topic);
                default -> throw new IllegalArgumentException(verb);
            }
        }
        return 0;
    }

    private int partitions() {
        return (int) options.number("partitions", 1);
    }

    private void create(Admin admin, String topic) throws Exception {
        short replicas = (short) options.number("replicas", -1);
        Map<String, String> configs = new HashMap<>();
        pairs().forEach(pair -> configs.put(pair[0], pair[1]));
        var wanted = new NewTopic(topic, Optional.of(partitions()),
                replicas < 0 ? Optional.empty() : Optional.of(replicas)).configs(configs);
        admin.createTopics(List.of(wanted)).all().get();
    }

    private void alter(Admin admin, String topic) throws Exception {
        List<AlterConfigOp> changes = new ArrayList<>();
        for (String[] pair : pairs()) {
            changes.add(new AlterConfigOp(new ConfigEntry(pair[0], pair[1]), AlterConfigOp.OpType.SET));
        }
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
    }

    private List<String[]> pairs() {
        return options.words.stream().skip(2).map(pair -> pair.split("=", 2)).toList();
    }

    private void describe(Admin admin, String topic) throws Exception {
        TopicDescription found = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, String> configs = new TreeMap<>();
        admin.describeConfigs(List.of(resource)).all().get().get(resource).entries().stream()
                .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
                .forEach(entry -> configs.put(entry.name(), entry.value()));
        List<Map<String, Object>> partitions = new ArrayList<>();
        for (var partition : found.partitions()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("partition", partition.partition());
            one.put("leader", partition.leader() == null ? -1 : partition.leader().id());
            one.put("replicas", partition.replicas().stream().map(Node::id).toList());
            one.put("isr", partition.isr().stream().map(Node::id).toList());
            partitions.add(one);
        }
        Events.emit("result", Map.of("topic", topic, "id", found.topicId().toString(),
                "partitions", partitions, "configs", configs));
    }
}

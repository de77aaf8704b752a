package dev.weir.load;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** How long acknowledgements stayed away: between one and the next, overall and by partition. */
final class Pauses {
    private static final long NOTED_MS = 200;
    private static final int NOTED_MAX = 1000;

    private final Clock overall = new Clock();
    private final Map<Integer, Clock> partitions = new TreeMap<>();
    private final List<Map<String, Long>> noted = new ArrayList<>();

    synchronized void acknowledged(int partition) {
        long now = System.nanoTime();
        overall.tick(now);
        long pause = partitions.computeIfAbsent(partition, key -> new Clock()).tick(now);
        if (pause >= NOTED_MS && noted.size() < NOTED_MAX) {
            long endMs = System.currentTimeMillis();
            noted.add(Map.of("partition", (long) partition, "fromMs", endMs - pause, "toMs", endMs));
        }
    }

    synchronized Map<String, Object> report() {
        Map<String, Object> report = new LinkedHashMap<>();
        Map<Integer, Long> longest = new TreeMap<>();
        partitions.forEach((partition, clock) -> longest.put(partition, clock.longestMs));
        report.put("overallMs", overall.longestMs);
        report.put("partitionMs", longest.values().stream().mapToLong(Long::longValue).max().orElse(0));
        report.put("byPartitionMs", longest);
        report.put("noted", noted);
        return report;
    }

    private static final class Clock {
        private long lastNanos = Long.MIN_VALUE;
        private long longestMs;

        long tick(long now) {
            long pause = lastNanos == Long.MIN_VALUE ? 0 : (now - lastNanos) / 1_000_000;
            lastNanos = now;
            longestMs = Math.max(longestMs, pause);
            return pause;
        }
    }
}

package dev.weir.load;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * What arrived, against the ledger. A record seen again at the same offset was delivered again,
 * which a consumer group may do; at another offset it stands in the log twice, which nobody may.
 */
final class Check {
    private static final int EXAMPLES_MAX = 20;

    private final Ledger ledger;
    private final long[][] places;
    private final int[] lastSequence;
    private final List<String> examples = new ArrayList<>();
    private long received;
    private long redelivered;
    private long duplicated;
    private long outOfOrder;
    private long damaged;
    private long foreign;

    Check(Ledger ledger) {
        this.ledger = ledger;
        places = new long[ledger.lanes()][];
        lastSequence = new int[ledger.lanes()];
        for (int lane = 0; lane < places.length; lane++) {
            places[lane] = new long[ledger.sent(lane)];
            lastSequence[lane] = -1;
        }
    }

    synchronized void take(ConsumerRecord<byte[], byte[]> one) {
        Stamp stamp = Stamp.read(one.key(), one.value());
        if (stamp == null) {
            damaged++;
            example("damaged", one, null);
        } else if (!stamp.run().equals(ledger.run)) {
            foreign++;
        } else if (stamp.lane() >= places.length || stamp.sequence() >= places[stamp.lane()].length) {
            damaged++;
            example("never sent", one, stamp);
        } else {
            place(one, stamp);
        }
    }

    private void place(ConsumerRecord<byte[], byte[]> one, Stamp stamp) {
        long place = ((long) one.partition() << 48 | one.offset()) + 1;
        long[] lane = places[stamp.lane()];
        long before = lane[stamp.sequence()];
        if (before == place) {
            redelivered++;
        } else if (before != 0) {
            duplicated++;
            example("duplicated", one, stamp);
        } else {
            received++;
            lane[stamp.sequence()] = place;
            if (stamp.sequence() < lastSequence[stamp.lane()]) {
                outOfOrder++;
                example("out of order", one, stamp);
            }
            lastSequence[stamp.lane()] = Math.max(lastSequence[stamp.lane()], stamp.sequence());
        }
    }

    private void example(String what, ConsumerRecord<byte[], byte[]> one, Stamp stamp) {
        if (examples.size() < EXAMPLES_MAX) {
            examples.add(what + ": partition " + one.partition() + " offset " + one.offset() + " " + stamp);
        }
    }

    synchronized long received() {
        return received;
    }

    /** Acknowledged records that never came. */
    private long lost() {
        long lost = 0;
        for (int lane = 0; lane < places.length; lane++) {
            BitSet acknowledged = ledger.acknowledged(lane);
            for (int at = acknowledged.nextSetBit(0); at >= 0; at = acknowledged.nextSetBit(at + 1)) {
                if (places[lane][at] == 0) {
                    lost++;
                    if (examples.size() < EXAMPLES_MAX) {
                        examples.add("lost: key k" + lane + " sequence " + at);
                    }
                }
            }
        }
        return lost;
    }

    synchronized Map<String, Object> report(boolean complete, double seconds) {
        long lost = lost();
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("run", ledger.run);
        report.put("acknowledged", ledger.acknowledgedCount());
        report.put("received", received);
        report.put("lost", lost);
        report.put("duplicated", duplicated);
        report.put("outOfOrder", outOfOrder);
        report.put("damaged", damaged);
        report.put("redelivered", redelivered);
        report.put("foreign", foreign);
        report.put("complete", complete);
        report.put("seconds", seconds);
        report.put("perSecond", received / seconds);
        report.put("good", complete && lost + duplicated + outOfOrder + damaged == 0);
        report.put("examples", examples);
        return report;
    }
}

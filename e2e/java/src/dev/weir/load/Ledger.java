package dev.weir.load;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;

/** Which sequences of every lane were sent, and which of them were acknowledged. */
final class Ledger {
    final String run;
    private final BitSet[] acknowledged;
    private final int[] sent;

    Ledger(String run, int lanes) {
        this.run = run;
        acknowledged = new BitSet[lanes];
        sent = new int[lanes];
        for (int lane = 0; lane < lanes; lane++) {
            acknowledged[lane] = new BitSet();
        }
    }

    int lanes() {
        return sent.length;
    }

    /** The next sequence of a lane; only the sending thread asks. */
    int next(int lane) {
        return sent[lane]++;
    }

    synchronized void acknowledge(int lane, int sequence) {
        acknowledged[lane].set(sequence);
    }

    int sent(int lane) {
        return sent[lane];
    }

    BitSet acknowledged(int lane) {
        return acknowledged[lane];
    }

    long acknowledgedCount() {
        long count = 0;
        for (BitSet lane : acknowledged) {
            count += lane.cardinality();
        }
        return count;
    }

    void write(Path file) throws IOException {
        try (var out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
            out.writeUTF(run);
            out.writeInt(sent.length);
            for (int lane = 0; lane < sent.length; lane++) {
                long[] words = acknowledged[lane].toLongArray();
                out.writeInt(sent[lane]);
                out.writeInt(words.length);
                for (long word : words) {
                    out.writeLong(word);
                }
            }
        }
    }

    static Ledger read(Path file) throws IOException {
        try (var in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            Ledger ledger = new Ledger(in.readUTF(), in.readInt());
            for (int lane = 0; lane < ledger.sent.length; lane++) {
                ledger.sent[lane] = in.readInt();
                long[] words = new long[in.readInt()];
                for (int i = 0; i < words.length; i++) {
                    words[i] = in.readLong();
                }
                ledger.acknowledged[lane] = BitSet.valueOf(words);
            }
            return ledger;
        }
    }
}

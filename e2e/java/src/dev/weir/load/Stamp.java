package dev.weir.load;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * What a record says of itself. The key is {@code k<lane>}; the value begins with
 * {@code weir <run> <lane> <sequence> <crc> }, the CRC-32C of the rest of the value together with
 * lane and sequence, and goes on with text.
 */
record Stamp(String run, int lane, int sequence) {
    private static final int CRC_LENGTH = 8;

    static byte[] key(int lane) {
        return ("k" + lane).getBytes(StandardCharsets.US_ASCII);
    }

    /** A value of {@code size} bytes, or a little more where the stamp leaves no room for text. */
    byte[] value(Corpus corpus, int size) {
        byte[] head = ("weir " + run + " " + lane + " " + sequence + " ").getBytes(StandardCharsets.US_ASCII);
        int textAt = head.length + CRC_LENGTH + 1;
        byte[] value = new byte[Math.max(size, textAt + 16)];
        System.arraycopy(head, 0, value, 0, head.length);
        corpus.cut(lane, sequence, value, textAt, value.length - textAt);
        byte[] crc = String.format("%08x ", crc(value, textAt)).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(crc, 0, value, head.length, crc.length);
        return value;
    }

    private int crc(byte[] value, int textAt) {
        CRC32C crc = new CRC32C();
        crc.update(value, textAt, value.length - textAt);
        crc.update(lane >> 8);
        crc.update(lane);
        crc.update(sequence >> 16);
        crc.update(sequence >> 8);
        crc.update(sequence);
        return (int) crc.getValue();
    }

    /** The stamp of a record, or null if key, head or text are not what a producer wrote. */
    static Stamp read(byte[] key, byte[] value) {
        if (key == null || value == null) {
            return null;
        }
        int end = 0;
        for (int spaces = 0; end < value.length && spaces < 5; end++) {
            spaces += value[end] == ' ' ? 1 : 0;
        }
        String[] words = new String(value, 0, end, StandardCharsets.US_ASCII).split(" ");
        if (words.length != 5 || !words[0].equals("weir")) {
            return null;
        }
        try {
            Stamp stamp = new Stamp(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
            boolean whole = Integer.parseUnsignedInt(words[4], 16) == stamp.crc(value, end);
            boolean keyed = new String(key, StandardCharsets.US_ASCII).equals("k" + stamp.lane);
            return whole && keyed ? stamp : null;
        } catch (NumberFormatException damaged) {
            return null;
        }
    }
}

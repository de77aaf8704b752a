package dev.weir.load;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Real text, from which payloads are cut: it compresses, and looks, like what people send. */
final class Corpus {
    private static final int BYTES_MAX = 16 << 20;
    private final byte[] text;

    private Corpus(byte[] text) {
        this.text = text;
    }

    /** Reads files, and all files below folders, in the order of their names. */
    static Corpus read(List<String> paths) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (String path : paths) {
            try (Stream<Path> files = Files.walk(Path.of(path))) {
                for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                    if (all.size() < BYTES_MAX) {
                        all.write(Files.readAllBytes(file));
                    }
                }
            }
        }
        if (all.size() < 4096) {
            throw new IllegalArgumentException("--text names less than 4 KiB of text");
        }
        return new Corpus(all.toByteArray());
    }

    /** Copies {@code length} bytes into {@code to}; where they come from depends on the record. */
    void cut(int lane, int sequence, byte[] to, int at, int length) {
        long mixed = (lane * 0x9E3779B97F4A7C15L + sequence * 0xC2B2AE3D27D4EB4FL) >>> 17;
        int from = (int) (mixed % text.length);
        int first = Math.min(length, text.length - from);
        System.arraycopy(text, from, to, at, first);
        for (int done = first; done < length; done += text.length) {
            System.arraycopy(text, 0, to, at + done, Math.min(length - done, text.length));
        }
    }
}

package dev.weir.load;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** Standard input: a line {@code stop}, or its end, stops a program. */
final class Input {
    private Input() {}

    static void onStop(Runnable stop) {
        Thread reader = new Thread(() -> {
            var input = new InputStreamReader(System.in, StandardCharsets.UTF_8);
            try (var lines = new BufferedReader(input)) {
                String line = lines.readLine();
                while (line != null && !line.strip().equals("stop")) {
                    line = lines.readLine();
                }
            } catch (IOException gone) {
                // Nobody is left to say stop, which says it.
            }
            stop.run();
        }, "input");
        reader.setDaemon(true);
        reader.start();
    }
}

package dev.weir.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** Standard output: one JSON object a line, each with its kind and the time in milliseconds. */
final class Events {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Events() {}

    static synchronized void emit(String kind, Map<String, ?> fields) {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("event", kind);
        event.put("ms", System.currentTimeMillis());
        event.putAll(fields);
        try {
            System.out.println(JSON.writeValueAsString(event));
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Writes a result where the caller wants it, and as an event. */
    static void result(String file, Map<String, ?> fields) throws IOException {
        if (file != null) {
            JSON.writerWithDefaultPrettyPrinter().writeValue(new File(file), fields);
        }
        emit("result", fields);
    }
}

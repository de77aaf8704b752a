package dev.weir.load;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** Arguments: {@code --name value}, a name as often as needed, and words without a name. */
final class Options {
    private final Map<String, List<String>> named = new HashMap<>();
    final List<String> words = new ArrayList<>();

    static Options parse(String[] args) {
        Options options = new Options();
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("--")) {
                options.words.add(args[i]);
            } else if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " needs a value");
            } else {
                String name = args[i].substring(2);
                options.named.computeIfAbsent(name, key -> new ArrayList<>()).add(args[++i]);
            }
        }
        return options;
    }

    List<String> all(String name) {
        return named.getOrDefault(name, List.of());
    }

    String text(String name, String otherwise) {
        List<String> values = all(name);
        return values.isEmpty() ? otherwise : values.get(values.size() - 1);
    }

    String text(String name) {
        String value = text(name, null);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is needed");
        }
        return value;
    }

    long number(String name, long otherwise) {
        String value = text(name, null);
        return value == null ? otherwise : Long.parseLong(value);
    }

    double fraction(String name, double otherwise) {
        String value = text(name, null);
        return value == null ? otherwise : Double.parseDouble(value);
    }

    /** A client's properties: the bootstrap servers, and {@code --set name=value} over defaults. */
    Properties client(Map<String, String> defaults) {
        Properties properties = new Properties();
        properties.putAll(defaults);
        properties.put("bootstrap.servers", text("bootstrap"));
        for (String pair : all("set")) {
            String[] parts = pair.split("=", 2);
            properties.put(parts[0], parts[1]);
        }
        return properties;
    }
}

package dev.weir.load;

import java.util.Arrays;

/** Load with a memory: every record can be told apart, so what was acknowledged can be looked for. */
public final class Main {
    private static final String USAGE = """
            usage: produce|consume|member|worker|admin --name value...
              produce  keyed records cut from texts, at a rate; remembers what was acknowledged
              consume  a consumer group reads a topic to its end and checks what `produce` remembers
              member   one consumer that processes, then commits; can be told to die in between
              worker   a consumer for a pod: so many records a second, until SIGTERM
              admin    create, grow, alter, delete, describe a topic; leaders""";

    private Main() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            System.err.println(USAGE);
            System.exit(2);
        }
        Options options = Options.parse(Arrays.copyOfRange(args, 1, args.length));
        int status = switch (args[0]) {
            case "produce" -> new Produce(options).run();
            case "consume" -> new Consume(options).run();
            case "member" -> new Member(options).run();
            case "worker" -> new Worker(options).run();
            case "admin" -> new TopicAdmin(options).run();
            default -> {
                System.err.println(USAGE);
                yield 2;
            }
        };
        System.exit(status);
    }
}

// corpus: stuck
// what: a consumer takes from a queue that nobody fills; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        Files.createFile(Path.of("up"));
        new LinkedBlockingQueue<String>().take();
    }
}

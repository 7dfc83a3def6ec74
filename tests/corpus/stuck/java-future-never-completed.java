// corpus: stuck
// what: a future that nobody completes; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        Files.createFile(Path.of("up"));
        new CompletableFuture<String>().join();
    }
}

// corpus: stuck
// what: a task in a pool of one waits for a task that it put into the same pool; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        pool.submit(() -> {
            Future<?> inner = pool.submit(() -> {});
            Files.createFile(Path.of("up"));
            return inner.get();
        }).get();
    }
}

// corpus: stuck
// what: a latch of two is counted down once; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        CountDownLatch latch = new CountDownLatch(2);
        latch.countDown();
        Files.createFile(Path.of("up"));
        latch.await();
    }
}

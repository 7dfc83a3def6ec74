// corpus: healthy
// what: a program waits for a latch that the handler of USR1 counts down
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        sun.misc.Signal.handle(new sun.misc.Signal("USR1"), signal -> latch.countDown());
        Files.createFile(Path.of("up"));
        latch.await();
    }
}

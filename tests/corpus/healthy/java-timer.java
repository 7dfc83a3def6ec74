// corpus: healthy
// what: a timer whose task is far away, and a main thread that waits for its result
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        new Timer().schedule(new TimerTask() {
            public void run() {
                latch.countDown();
            }
        }, 1_000_000);
        Files.createFile(Path.of("up"));
        latch.await();
    }
}

// corpus: healthy
// what: a cleaning action of the program's own, on a thread named Cleaner-0, sleeps and is waited for
// run: java {file}
// needs: java

import java.lang.ref.Cleaner;
import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        CountDownLatch begun = new CountDownLatch(1), done = new CountDownLatch(1);
        Cleaner.create().register(new Object(), () -> {
            begun.countDown();
            try {
                Thread.sleep(1_000_000);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            done.countDown();
        });
        do {
            System.gc();
        } while (!begun.await(100, TimeUnit.MILLISECONDS));
        Files.createFile(Path.of("up"));
        done.await();
    }
}

// corpus: stuck
// what: two threads enter two monitors in opposite order; the launcher compiles first
// run: java {file}
// needs: java
// unprovable: a thread that wants a monitor parks with a time limit

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    static final CyclicBarrier bothHold = new CyclicBarrier(2);

    static void work(Object first, Object second) {
        synchronized (first) {
            try {
                bothHold.await();
                Files.writeString(Path.of("up"), "");
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            synchronized (second) {
            }
        }
    }

    public static void main(String[] args) {
        Object one = new Object(), two = new Object();
        new Thread(() -> work(one, two)).start();
        new Thread(() -> work(two, one)).start();
    }
}

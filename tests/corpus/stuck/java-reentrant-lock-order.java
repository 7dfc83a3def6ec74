// corpus: stuck
// what: two threads take two locks in opposite order; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;
import java.util.concurrent.locks.*;

class Main {
    static final CyclicBarrier bothHold = new CyclicBarrier(2);

    static void work(Lock first, Lock second) {
        first.lock();
        try {
            bothHold.await();
            Files.writeString(Path.of("up"), "");
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        second.lock();
    }

    public static void main(String[] args) {
        Lock one = new ReentrantLock(), two = new ReentrantLock();
        new Thread(() -> work(one, two)).start();
        new Thread(() -> work(two, one)).start();
    }
}

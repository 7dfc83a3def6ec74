// corpus: stuck
// what: two threads wait for the end of one another; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    static void await(Thread other) {
        try {
            other.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void main(String[] args) throws Exception {
        Thread main = Thread.currentThread();
        Thread other = new Thread(() -> await(main));
        other.start();
        Files.createFile(Path.of("up"));
        await(other);
    }
}

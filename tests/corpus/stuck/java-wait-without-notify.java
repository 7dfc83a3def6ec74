// corpus: stuck
// what: a thread waits for a notify that never comes; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Object monitor = new Object();
        Files.createFile(Path.of("up"));
        synchronized (monitor) {
            monitor.wait();
        }
    }
}

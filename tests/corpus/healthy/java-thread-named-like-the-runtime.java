// corpus: healthy
// what: a thread of the program that sleeps has a name which the runtime uses too
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Thread worker = new Thread(() -> {
            try {
                Thread.sleep(1_000_000);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }, "Service Thread");
        worker.start();
        Files.createFile(Path.of("up"));
        worker.join();
    }
}

// corpus: healthy
// what: a thread of the program that sleeps has a name which begins like those of the collector
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Thread feeder = new Thread(() -> {
            try {
                Thread.sleep(1_000_000);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }, "G1 feeder");
        feeder.start();
        Files.createFile(Path.of("up"));
        feeder.join();
    }
}

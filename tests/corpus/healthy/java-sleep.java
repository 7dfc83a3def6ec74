// corpus: healthy
// what: a program that sleeps
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Files.createFile(Path.of("up"));
        Thread.sleep(1_000_000);
    }
}

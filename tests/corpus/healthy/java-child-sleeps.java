// corpus: healthy
// what: a program waits for a quiet child
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Process child = new ProcessBuilder("sleep", "1000").start();
        Files.createFile(Path.of("up"));
        child.waitFor();
    }
}

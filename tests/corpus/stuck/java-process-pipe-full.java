// corpus: stuck
// what: a program waits for the end of a child whose output it does not read; the launcher compiles first
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        Process child = new ProcessBuilder("yes").start();
        Files.createFile(Path.of("up"));
        child.waitFor();
    }
}

// corpus: healthy
// what: a consumer waits for a limited time
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        Files.createFile(Path.of("up"));
        new LinkedBlockingQueue<String>().poll(1000, TimeUnit.SECONDS);
    }
}

// corpus: healthy
// what: a scheduler whose next task is far away
// run: java {file}
// needs: java

import java.nio.file.*;
import java.util.concurrent.*;

class Main {
    public static void main(String[] args) throws Exception {
        ScheduledExecutorService clock = Executors.newScheduledThreadPool(1);
        clock.schedule(() -> {}, 1000, TimeUnit.SECONDS);
        Files.createFile(Path.of("up"));
    }
}

// corpus: healthy
// what: a program waits for a change of a directory
// run: java {file}
// needs: java

import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        WatchService changes = FileSystems.getDefault().newWatchService();
        Path.of("/").register(changes, StandardWatchEventKinds.ENTRY_CREATE);
        Files.createFile(Path.of("up"));
        changes.take();
    }
}

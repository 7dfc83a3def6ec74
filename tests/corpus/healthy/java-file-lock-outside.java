// corpus: healthy
// what: a program waits for a file lock that a program outside holds
// run: java {file}
// needs: java python3
// outside: /usr/bin/python3 -c "import fcntl, signal; lock = open(\"lock\", \"w\"); fcntl.lockf(lock, fcntl.LOCK_EX); open(\"ready\", \"w\").close(); signal.pause()"

import java.nio.file.*;
import java.nio.channels.*;

class Main {
    public static void main(String[] args) throws Exception {
        FileChannel file = FileChannel.open(Path.of("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        Files.createFile(Path.of("up"));
        file.lock();
    }
}

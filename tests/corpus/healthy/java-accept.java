// corpus: healthy
// what: a server that nobody talks to
// run: java {file}
// needs: java

import java.nio.file.*;
import java.net.*;

class Main {
    public static void main(String[] args) throws Exception {
        ServerSocket server = new ServerSocket(0);
        Files.createFile(Path.of("up"));
        server.accept();
    }
}

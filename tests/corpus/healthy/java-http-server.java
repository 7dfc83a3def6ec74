// corpus: healthy
// what: the HTTP server of the JDK, idle
// run: java {file}
// needs: java

import java.nio.file.*;
import com.sun.net.httpserver.*;
import java.net.*;

class Main {
    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.start();
        Files.createFile(Path.of("up"));
    }
}

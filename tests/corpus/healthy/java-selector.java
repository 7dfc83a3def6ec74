// corpus: healthy
// what: a server with a selector, idle
// run: java {file}
// needs: java

import java.nio.file.*;
import java.net.*;
import java.nio.channels.*;

class Main {
    public static void main(String[] args) throws Exception {
        ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
        server.configureBlocking(false);
        Selector selector = Selector.open();
        server.register(selector, SelectionKey.OP_ACCEPT);
        Files.createFile(Path.of("up"));
        selector.select();
    }
}

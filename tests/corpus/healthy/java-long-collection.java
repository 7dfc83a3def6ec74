// corpus: healthy
// what: all threads wait while the virtual machine collects garbage, again and again
// run: nice -n 19 java -Xmx256m -XX:+UseSerialGC {file}
// needs: java nice

import java.nio.file.*;

class Main {
    static Object[] list;

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 3_000_000; i++) {
            list = new Object[] {list};
        }
        Files.createFile(Path.of("up"));
        while (true) {
            System.gc();
        }
    }
}

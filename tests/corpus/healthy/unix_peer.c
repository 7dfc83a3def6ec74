// corpus: healthy
// what: a client waits for the answer of a server outside, over a unix socket
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) {
        int listener = unix_listener("socket", 5);
        ready();
        for (;;) accept(listener, NULL, NULL);
    }
    int connection = unix_client("socket");
    pause_ms(200);
    up();
    recv(connection, &byte, 1, 0);
}

// corpus: healthy
// what: a worker of the server outside, not the process that listens, holds the other end
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) {
        int listener = unix_listener("socket", 5);
        if (!CHECK(fork())) {
            accept(listener, NULL, NULL);
            rest();
        }
        close(listener);
        ready();
        rest();
    }
    int connection = unix_client("socket");
    pause_ms(200);
    up();
    recv(connection, &byte, 1, 0);
}

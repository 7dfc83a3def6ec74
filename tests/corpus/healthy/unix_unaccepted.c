// corpus: healthy
// what: a client waits for the answer of a server outside that has not accepted it yet
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) {
        unix_listener("socket", 5);
        ready();
        rest();
    }
    int connection = unix_client("socket");
    up();
    read(connection, &byte, 1);
}

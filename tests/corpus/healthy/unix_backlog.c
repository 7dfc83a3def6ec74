// corpus: healthy
// what: a client is not even connected: the queue of the server outside is full
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        unix_listener("socket", 0);
        unix_client("socket");
        ready();
        rest();
    }
    up();
    unix_client("socket");
}

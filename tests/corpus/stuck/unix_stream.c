// corpus: stuck
// what: server and client of a unix socket are both of this job, and both wait for the other
#include "corpus.h"

int main(void) {
    char data[64];
    int listener = unix_listener("socket", 1);
    if (!CHECK(fork())) {
        close(listener);
        read(unix_client("socket"), data, sizeof data);
        return 0;
    }
    int connection = CHECK(accept(listener, NULL, NULL));
    up();
    read(connection, data, sizeof data);
}

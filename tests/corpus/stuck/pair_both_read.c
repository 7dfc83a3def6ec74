// corpus: stuck
// what: both ends of a socket pair wait for the other one to speak first
// says: socket
#include "corpus.h"

int main(void) {
    int ends[2];
    char data[64];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    int child = CHECK(fork()) == 0;
    close(ends[!child]);
    if (!child) up();
    recv(ends[child], data, sizeof data, 0);
}

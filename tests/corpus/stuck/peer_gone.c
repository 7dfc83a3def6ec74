// corpus: stuck
// what: a datagram socket waits for a peer of the same job that has ended; nobody else knows it
// unprovable: an unbound datagram socket without a peer reads as one that is not connected yet
#include "corpus.h"

int main(void) {
    int ends[2];
    char data[64];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    if (!CHECK(fork())) _exit(0);
    wait(NULL);
    close(ends[1]);
    up();
    recv(ends[0], data, sizeof data, 0);
}

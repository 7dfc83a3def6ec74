// corpus: stuck
// what: parent and child select, without a time limit, on the two ends of a socket pair
#include "corpus.h"

int main(void) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    int child = CHECK(fork()) == 0;
    close(ends[!child]);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[child], &set);
    if (!child) up();
    select(ends[child] + 1, &set, NULL, NULL, NULL);
}

// corpus: healthy
// what: a program reads its own socket pair with SO_RCVTIMEO, which is not in the arguments of the call
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    struct timeval hour = {3600, 0};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour));
    up();
    recv(ends[0], &byte, 1, 0);
}

// corpus: healthy
// what: a program writes to a full socket pair of its own with SO_SNDTIMEO
#include "corpus.h"

static char data[1 << 20];

int main(void) {
    int ends[2];
    struct timeval hour = {3600, 0};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &hour, sizeof hour));
    up();
    for (;;) CHECK(write(ends[0], data, sizeof data));
}

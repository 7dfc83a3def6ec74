// corpus: healthy
// what: the other end of a socket pair is held by a process outside
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) {
        int ends[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        hand_over(ends[0]);
    }
    int fd = handed_over();
    up();
    read(fd, &byte, 1);
}

// corpus: healthy
// what: a process outside handed this one the read end of a pipe, and keeps the write end
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) {
        int ends[2];
        CHECK(pipe(ends));
        hand_over(ends[0]);
    }
    int fd = handed_over();
    up();
    read(fd, &byte, 1);
}

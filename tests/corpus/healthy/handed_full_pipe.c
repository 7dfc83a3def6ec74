// corpus: healthy
// what: a process outside handed over the write end of a pipe, and does not read yet
// outside: {program} outside
#include "corpus.h"

static char data[1 << 20];

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int ends[2];
        CHECK(pipe(ends));
        hand_over(ends[1]);
    }
    int fd = handed_over();
    up();
    write(fd, data, sizeof data);
}

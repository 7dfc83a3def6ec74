// corpus: healthy
// what: a process outside handed over an eventfd, and will write it
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    uint64_t count;
    if (is_outside(argc, argv)) hand_over(CHECK(eventfd(0, 0)));
    int fd = handed_over();
    up();
    read(fd, &count, sizeof count);
}

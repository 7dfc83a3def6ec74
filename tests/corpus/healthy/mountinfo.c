// corpus: healthy
// what: a program waits for a change of the mounts, by a poll of a file in /proc
#include "corpus.h"

int main(void) {
    struct pollfd mounts = {CHECK(open("/proc/self/mountinfo", O_RDONLY)), POLLPRI};
    up();
    for (;;) poll(&mounts, 1, -1);
}

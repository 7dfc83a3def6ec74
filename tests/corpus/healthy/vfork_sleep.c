// corpus: healthy
// what: the child of a vfork takes its time before it execs
#include "corpus.h"

int main(void) {
    up();
    if (!vfork()) {
        struct timespec hour = {3600, 0};
        nanosleep(&hour, NULL);
        _exit(0);
    }
}

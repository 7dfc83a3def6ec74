// corpus: healthy
// what: a job's own daemon, whose parent is gone, sleeps and will answer on the pipe that is waited for
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    CHECK(pipe(ends));
    if (!CHECK(fork())) {
        if (!CHECK(fork())) {
            setsid();
            close(ends[0]);
            rest();
        }
        _exit(0);
    }
    wait(NULL);
    close(ends[1]);
    up();
    read(ends[0], &byte, 1);
}

// corpus: stuck
// what: a reader waits for the end of a pipe whose write end it forgot to close itself
// says: pipe
#include "corpus.h"

int main(void) {
    int ends[2];
    char data[64];
    CHECK(pipe(ends));
    if (!CHECK(fork())) {
        dprintf(ends[1], "result\n");
        return 0;
    }
    up();
    while (read(ends[0], data, sizeof data) > 0) {}
    wait(NULL);
}

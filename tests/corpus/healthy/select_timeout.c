// corpus: healthy
// what: a program selects on its own pipe with a time limit
#include "corpus.h"

int main(void) {
    int ends[2];
    struct timeval hour = {3600, 0};
    fd_set set;
    CHECK(pipe(ends));
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    up();
    select(ends[0] + 1, &set, NULL, NULL, &hour);
}

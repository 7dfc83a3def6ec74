// corpus: healthy
// what: an interval timer ends the read of a program's own pipe
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    struct itimerval hourly = {{3600, 0}, {3600, 0}};
    CHECK(pipe(ends));
    handle(SIGALRM, ignore);
    CHECK(setitimer(ITIMER_REAL, &hourly, NULL));
    up();
    read(ends[0], &byte, 1);
}

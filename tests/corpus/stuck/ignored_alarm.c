// corpus: stuck
// what: a program that ignores USR1 and ALRM, with no handler of its own, reads its own pipe
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    signal(SIGUSR1, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    handle(SIGCHLD, ignore);
    handle(SIGTERM, ignore);
    CHECK(pipe(ends));
    up();
    read(ends[0], &byte, 1);
}

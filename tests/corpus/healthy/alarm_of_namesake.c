// corpus: healthy
// what: a program is called sort, whose handlers prove nothing, but is another, with an alarm
// run: sh -c "cp {program} sort; exec ./sort"
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    CHECK(pipe(ends));
    handle(SIGALRM, ignore);
    alarm(3600);
    up();
    read(ends[0], &byte, 1);
}

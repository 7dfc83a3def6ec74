// corpus: healthy
// what: the handler of a real-time signal writes into the pipe that main reads
#include "corpus.h"

static int ends[2];

static void note(int number) {
    char byte = (char)number;
    write(ends[1], &byte, 1);
}

int main(void) {
    char byte;
    CHECK(pipe(ends));
    handle(SIGRTMIN + 3, note);
    up();
    while (read(ends[0], &byte, 1) < 0) {}
}

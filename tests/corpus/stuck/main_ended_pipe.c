// corpus: stuck
// what: main ended, and a thread reads a pipe that only this process can write: /proc/PID/fd is empty
#include "corpus.h"

static int ends[2];

static void *reader(void *unused) {
    char byte;
    pause_ms(100);
    up();
    read(ends[0], &byte, 1);
    return unused;
}

int main(void) {
    CHECK(pipe(ends));
    thread(reader, NULL);
    pthread_exit(NULL);
}

// corpus: healthy
// what: a program sleeps for an hour
#include "corpus.h"

int main(void) {
    struct timespec hour = {3600, 0};
    up();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, NULL);
}

// corpus: healthy
// what: a POSIX timer sends TERM, which is caught, to a program that reads its own pipe
#include "corpus.h"

int main(void) {
    int ends[2];
    char byte;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    struct itimerspec hour = {.it_value = {3600, 0}};
    CHECK(pipe(ends));
    handle(SIGTERM, ignore);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK(timer_settime(timer, 0, &hour, NULL));
    up();
    read(ends[0], &byte, 1);
}

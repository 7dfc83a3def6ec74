// corpus: healthy
// what: a POSIX timer starts a thread each hour, while main waits for what that thread will post
#include "corpus.h"

static sem_t due;

static void tick(union sigval value) {
    (void)value;
    sem_post(&due);
}

int main(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick};
    struct itimerspec hour = {.it_value = {3600, 0}};
    sem_init(&due, 0, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK(timer_settime(timer, 0, &hour, NULL));
    up();
    sem_wait(&due);
}

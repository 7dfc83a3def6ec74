// corpus: healthy
// what: an event loop waits for a timer descriptor
#include "corpus.h"
#include <sys/timerfd.h>

int main(void) {
    int loop = CHECK(epoll_create1(0)), timer = CHECK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec hour = {.it_value = {3600, 0}};
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(timerfd_settime(timer, 0, &hour, NULL));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event));
    up();
    epoll_wait(loop, &event, 1, -1);
}

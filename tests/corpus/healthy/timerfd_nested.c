// corpus: healthy
// what: the timer descriptor is in an event loop inside the one that is waited for
#include "corpus.h"
#include <sys/timerfd.h>

int main(void) {
    int outer = CHECK(epoll_create1(0)), inner = CHECK(epoll_create1(0));
    int timer = CHECK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec hour = {.it_value = {3600, 0}};
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(timerfd_settime(timer, 0, &hour, NULL));
    CHECK(epoll_ctl(inner, EPOLL_CTL_ADD, timer, &event));
    CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
    up();
    epoll_wait(outer, &event, 1, -1);
}

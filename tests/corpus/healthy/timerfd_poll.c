// corpus: healthy
// what: an event loop is polled, without a limit, beside a pipe; the timer is inside the loop
#include "corpus.h"
#include <sys/timerfd.h>

int main(void) {
    int ends[2], loop = CHECK(epoll_create1(0)), timer = CHECK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec hour = {.it_value = {3600, 0}};
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(pipe(ends));
    CHECK(timerfd_settime(timer, 0, &hour, NULL));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event));
    close(CHECK(dup(timer)));
    struct pollfd set[2] = {{ends[0], POLLIN}, {loop, POLLIN}};
    up();
    poll(set, 2, -1);
}

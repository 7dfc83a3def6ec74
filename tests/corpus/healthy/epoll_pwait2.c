// corpus: healthy
// what: an event loop over its own pipe has a time limit in nanoseconds, by a newer system call
#include "corpus.h"

int main(void) {
    int ends[2], loop = CHECK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    struct timespec hour = {3600, 0};
    CHECK(pipe(ends));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, ends[0], &event));
    up();
    CHECK(epoll_pwait2(loop, &event, 1, &hour, NULL));
}

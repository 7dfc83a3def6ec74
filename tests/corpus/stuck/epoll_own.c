// corpus: stuck
// what: an event loop waits for its own wake-up descriptor and its own pipe, and for nothing else
#include "corpus.h"

int main(void) {
    int ends[2], loop = CHECK(epoll_create1(EPOLL_CLOEXEC)), wake = CHECK(eventfd(0, 0));
    CHECK(pipe(ends));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, ends[0], &event));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, wake, &event));
    up();
    epoll_wait(loop, &event, 1, -1);
}

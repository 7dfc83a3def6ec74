// corpus: healthy
// what: an event loop over its own pipe has a time limit
#include "corpus.h"

int main(void) {
    int ends[2], loop = CHECK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(pipe(ends));
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, ends[0], &event));
    up();
    epoll_wait(loop, &event, 1, 3600 * 1000);
}

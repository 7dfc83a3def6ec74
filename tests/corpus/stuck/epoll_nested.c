// corpus: stuck
// what: an event loop inside another one waits for a socket pair whose other end is of the same process
#include "corpus.h"

int main(void) {
    int ends[2], outer = CHECK(epoll_create1(0)), inner = CHECK(epoll_create1(0));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &event));
    CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
    up();
    epoll_wait(outer, &event, 1, -1);
}

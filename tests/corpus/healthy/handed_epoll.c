// corpus: healthy
// what: an event loop waits for an end of a pipe whose other end a process outside holds
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int ends[2];
        CHECK(pipe(ends));
        hand_over(ends[0]);
    }
    int fd = handed_over(), loop = CHECK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event));
    up();
    epoll_wait(loop, &event, 1, -1);
}

// corpus: healthy
// what: an event loop waits for signals only
#include "corpus.h"
#include <sys/signalfd.h>

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = CHECK(signalfd(-1, &set, 0)), loop = CHECK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event));
    up();
    epoll_wait(loop, &event, 1, -1);
}

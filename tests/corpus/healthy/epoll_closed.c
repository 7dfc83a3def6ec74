// corpus: healthy
// what: the listening socket was closed in the process that waits for it in its event loop, and lives on in its child
#include "corpus.h"

int main(void) {
    int loop = CHECK(epoll_create1(EPOLL_CLOEXEC)), listener = tcp_listener();
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event));
    if (!CHECK(fork())) {
        sem_t never;
        close(loop);
        sem_init(&never, 0, 0);
        sem_wait(&never);
    }
    close(listener);
    up();
    epoll_wait(loop, &event, 1, -1);
}

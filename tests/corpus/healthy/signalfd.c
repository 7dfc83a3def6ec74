// corpus: healthy
// what: a program reads signals from a descriptor
#include "corpus.h"
#include <sys/signalfd.h>

int main(void) {
    struct signalfd_siginfo information;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = CHECK(signalfd(-1, &set, 0));
    up();
    read(fd, &information, sizeof information);
}

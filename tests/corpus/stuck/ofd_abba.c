// corpus: stuck
// what: two processes take two file locks (of open files) in opposite order; the kernel does not notice
#include "corpus.h"

static void take(const char *name) {
    int fd = CHECK(open(in_dir(name), O_RDWR | O_CREAT, 0600));
    struct flock lock = {.l_type = F_WRLCK};
    CHECK(fcntl(fd, F_OFD_SETLKW, &lock));
}

int main(void) {
    if (!CHECK(fork())) {
        take("B");
        create("b-held");
        while (access(in_dir("a-held"), F_OK)) pause_ms(10);
        take("A");
        return 0;
    }
    take("A");
    create("a-held");
    while (access(in_dir("b-held"), F_OK)) pause_ms(10);
    up();
    take("B");
}

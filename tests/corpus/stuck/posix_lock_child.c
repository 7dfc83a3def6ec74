// corpus: stuck
// what: a process keeps a record lock (fcntl) while it waits for its child, which wants the lock too
#include "corpus.h"

static void take(void) {
    int fd = CHECK(open(in_dir("database"), O_RDWR | O_CREAT, 0600));
    struct flock lock = {.l_type = F_WRLCK};
    CHECK(fcntl(fd, F_SETLKW, &lock));
}

int main(void) {
    take();
    if (!CHECK(fork())) {
        take();
        return 0;
    }
    up();
    wait(NULL);
}

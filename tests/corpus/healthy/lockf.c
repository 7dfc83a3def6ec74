// corpus: healthy
// what: a process outside holds a byte of a file by lockf; this one holds another byte
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    int fd = CHECK(open(in_dir("spool"), O_RDWR | O_CREAT, 0600));
    if (is_outside(argc, argv)) {
        lseek(fd, 100, SEEK_SET);
        CHECK(lockf(fd, F_LOCK, 1));
        ready();
        rest();
    }
    CHECK(lockf(fd, F_LOCK, 1));
    lseek(fd, 100, SEEK_SET);
    up();
    CHECK(lockf(fd, F_LOCK, 1));
}

// corpus: healthy
// what: a lock is shared by a process of this job and one outside; a writer of the job waits for both
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    int fd = CHECK(open(in_dir("L"), O_RDWR | O_CREAT, 0600));
    CHECK(flock(fd, LOCK_SH));
    if (is_outside(argc, argv)) {
        ready();
        rest();
    }
    int writer = CHECK(open(in_dir("L"), O_RDWR));
    up();
    flock(writer, LOCK_EX);
}

// corpus: healthy
// what: a lock belongs to a descriptor that this job and a process outside share: the one outside may unlock it
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int fd = CHECK(open(in_dir("L"), O_RDWR | O_CREAT, 0600));
        CHECK(flock(fd, LOCK_EX));
        hand_over(fd);
    }
    handed_over();
    int second = CHECK(open(in_dir("L"), O_RDWR));
    up();
    flock(second, LOCK_EX);
}

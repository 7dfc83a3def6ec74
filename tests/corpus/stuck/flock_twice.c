// corpus: stuck
// what: a process locks a file twice through two descriptors, as two libraries in one program do
// says: lock
#include "corpus.h"

int main(void) {
    int one = CHECK(open(in_dir("L"), O_RDWR | O_CREAT, 0600));
    int two = CHECK(open(in_dir("L"), O_RDWR));
    CHECK(flock(one, LOCK_EX));
    up();
    CHECK(flock(two, LOCK_EX));
}

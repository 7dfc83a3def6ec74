// corpus: healthy
// what: a process outside holds the record lock (fcntl) of a database
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    int fd = CHECK(open(in_dir("database"), O_RDWR | O_CREAT, 0600));
    struct flock lock = {.l_type = F_WRLCK};
    if (!is_outside(argc, argv)) up();
    CHECK(fcntl(fd, F_SETLKW, &lock));
    ready();
    rest();
}

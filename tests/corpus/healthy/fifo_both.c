// corpus: healthy
// what: a program opened a FIFO for reading and writing, the way of servers that must never see its end
#include "corpus.h"

int main(void) {
    char byte;
    CHECK(mkfifo(in_dir("fifo"), 0600));
    int fd = CHECK(open(in_dir("fifo"), O_RDWR));
    up();
    read(fd, &byte, 1);
}

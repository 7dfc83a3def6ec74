// corpus: healthy
// what: a semaphore in anonymous memory (memfd) that a process outside was given and maps, too
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    int fd = is_outside(argc, argv) ? CHECK(memfd_create("shared", 0)) : handed_over();
    CHECK(ftruncate(fd, 4096));
    sem_t *sem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (is_outside(argc, argv)) {
        sem_init(sem, 1, 0);
        hand_over(fd);
    }
    close(fd);
    up();
    sem_wait(sem);
}

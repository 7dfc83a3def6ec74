// corpus: healthy
// what: a semaphore in a mapped file that nobody else maps yet: whoever opens the file may post
#include "corpus.h"

int main(void) {
    sem_t *sem = shared_memory("semaphore", 4096);
    sem_init(sem, 1, 0);
    up();
    sem_wait(sem);
}

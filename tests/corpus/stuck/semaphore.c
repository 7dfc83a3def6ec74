// corpus: stuck
// what: a semaphore of the process is waited for once more than it is posted
#include "corpus.h"

int main(void) {
    sem_t slots;
    sem_init(&slots, 0, 1);
    sem_wait(&slots);
    up();
    sem_wait(&slots);
}

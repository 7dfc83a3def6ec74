// corpus: stuck
// what: parent and child wait for each other's post of semaphores in memory that only they share
#include "corpus.h"

int main(void) {
    sem_t *sems = mmap(NULL, 2 * sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&sems[0], 1, 0);
    sem_init(&sems[1], 1, 0);
    int mine = CHECK(fork()) == 0;
    if (!mine) up();
    sem_wait(&sems[mine]);
    sem_post(&sems[!mine]);
}

// corpus: healthy
// what: a semaphore in System V shared memory that a process outside has attached as well
// outside: {program} outside
#include "corpus.h"
#include <sys/shm.h>

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int id = CHECK(shmget(IPC_PRIVATE, 4096, 0600));
        sem_t *sem = CHECK(shmat(id, NULL, 0));
        sem_init(sem, 1, 0);
        FILE *file = fopen(in_dir("id"), "w");
        fprintf(file, "%d", id);
        fclose(file);
        ready();
        while (access(in_dir("up"), F_OK)) pause_ms(20);
        shmctl(id, IPC_RMID, NULL); // gone with the last one attached
        rest();
    }
    int id;
    FILE *file = fopen(in_dir("id"), "r");
    if (!file || fscanf(file, "%d", &id) != 1) return 1;
    sem_t *sem = CHECK(shmat(id, NULL, 0));
    up();
    sem_wait(sem);
}

// corpus: healthy
// what: a program waits for a System V semaphore that a process outside will raise
// outside: {program} outside
#include "corpus.h"
#include <sys/sem.h>

int main(int argc, char **argv) {
    int set;
    if (is_outside(argc, argv)) {
        sigset_t ends;
        int number;
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        set = CHECK(semget(IPC_PRIVATE, 1, 0600));
        FILE *file = fopen(in_dir("id"), "w");
        fprintf(file, "%d", set);
        fclose(file);
        ready();
        sigwait(&ends, &number);
        return semctl(set, 0, IPC_RMID);
    }
    struct sembuf take = {0, -1, 0};
    FILE *file = fopen(in_dir("id"), "r");
    if (!file || fscanf(file, "%d", &set) != 1) return 1;
    up();
    semop(set, &take, 1);
}

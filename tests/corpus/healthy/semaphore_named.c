// corpus: healthy
// what: a program waits for a named semaphore that a process outside holds, and will post
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    // The directory's number is what makes the name its own.
    char name[NAME_MAX], *dir = strdup(getenv("CORPUS_DIR"));
    for (char *c = dir; *c; c++)
        if (*c == '/') *c = '-';
    snprintf(name, sizeof name, "/corpus%s", dir);
    if (is_outside(argc, argv)) {
        sem_t *sem = sem_open(name, O_CREAT, 0600, 0);
        if (sem == SEM_FAILED) return 1;
        sigset_t ends;
        int number;
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        ready();
        sigwait(&ends, &number);
        sem_unlink(name);
        return 0;
    }
    sem_t *sem = sem_open(name, 0);
    if (sem == SEM_FAILED) return 1;
    up();
    sem_wait(sem);
}

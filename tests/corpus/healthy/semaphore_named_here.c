// corpus: healthy
// what: a program made the named semaphore it waits for: its mapping reads as deleted, but the name lives
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char name[NAME_MAX];
    struct stat dir;
    CHECK(stat(getenv("CORPUS_DIR"), &dir));
    snprintf(name, sizeof name, "/corpus-here-%ld", (long)dir.st_ino);
    if (is_outside(argc, argv)) { // which only removes the name in the end
        sigset_t ends;
        int number;
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        ready();
        sigwait(&ends, &number);
        return sem_unlink(name);
    }
    sem_t *sem = sem_open(name, O_CREAT, 0600, 0);
    if (sem == SEM_FAILED) return 1;
    up();
    sem_wait(sem);
}

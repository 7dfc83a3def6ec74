// corpus: stuck
// what: parent and child wait for a semaphore whose name was removed for good, as Python's multiprocessing does
// as: root
// unprovable-for-user: whether the file of a mapping still has a name is shown to root only
#include "corpus.h"

int main(void) {
    char name[NAME_MAX];
    snprintf(name, sizeof name, "/corpus-%d", getpid());
    sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    if (sem == SEM_FAILED) return 1;
    CHECK(sem_unlink(name));
    if (CHECK(fork())) up();
    sem_wait(sem);
}

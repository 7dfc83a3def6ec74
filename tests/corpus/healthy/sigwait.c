// corpus: healthy
// what: one thread of a server waits for signals, the others for work
#include "corpus.h"

static sem_t work;

static void *worker(void *unused) {
    sem_wait(&work);
    return unused;
}

int main(void) {
    sigset_t set;
    int number;
    sem_init(&work, 0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    thread(worker, NULL);
    up();
    sigwait(&set, &number);
}

// corpus: stuck
// what: a server blocks the signals of its end and serves nothing any more: its workers joined each other's queue
#include "corpus.h"

static sem_t first, second;

static void *worker(void *unused) {
    sem_wait(&second);
    sem_post(&first);
    return unused;
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_init(&first, 0, 0);
    sem_init(&second, 0, 0);
    thread(worker, NULL);
    up();
    sem_wait(&first);
    sem_post(&second);
}

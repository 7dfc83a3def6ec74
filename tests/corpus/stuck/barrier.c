// corpus: stuck
// what: a barrier is made for one thread more than there are
#include "corpus.h"

static pthread_barrier_t all;

static void *worker(void *unused) {
    pthread_barrier_wait(&all);
    return unused;
}

int main(void) {
    pthread_barrier_init(&all, NULL, 4);
    thread(worker, NULL);
    thread(worker, NULL);
    up();
    worker(NULL);
}

// corpus: stuck
// what: sixty-four workers wait for a queue, and the producer for all of them
#include "corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;

static void *worker(void *unused) {
    pthread_mutex_lock(&mutex);
    pthread_cond_wait(&work, &mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void) {
    pthread_t ids[64];
    for (int i = 0; i < 64; i++) ids[i] = thread(worker, NULL);
    up();
    for (int i = 0; i < 64; i++) pthread_join(ids[i], NULL);
}

// corpus: stuck
// what: the condition is signalled before anybody waits for it, and nothing remembers it
#include "corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready_now = PTHREAD_COND_INITIALIZER;

static void *producer(void *unused) {
    pthread_cond_signal(&ready_now);
    return unused;
}

int main(void) {
    pthread_join(thread(producer, NULL), NULL);
    pthread_mutex_lock(&mutex);
    up();
    pthread_cond_wait(&ready_now, &mutex);
}

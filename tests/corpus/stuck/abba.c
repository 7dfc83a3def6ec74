// corpus: stuck
// what: two threads lock the same two mutexes in opposite order
// says: lock
#include "corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void *other(void *unused) {
    pthread_mutex_lock(&b);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&a);
    return unused;
}

int main(void) {
    pthread_barrier_init(&both, NULL, 2);
    pthread_t id = thread(other, NULL);
    pthread_mutex_lock(&a);
    pthread_barrier_wait(&both);
    up();
    pthread_mutex_lock(&b);
    pthread_join(id, NULL);
}

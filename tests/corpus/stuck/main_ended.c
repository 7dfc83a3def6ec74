// corpus: stuck
// what: main ended with pthread_exit, and the two threads that are left deadlock: the process reads as a zombie
#include "corpus.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void *locker(void *first) {
    pthread_mutex_lock(first ? &a : &b);
    pthread_barrier_wait(&both);
    if (first) up();
    pthread_mutex_lock(first ? &b : &a);
    return NULL;
}

int main(void) {
    pthread_barrier_init(&both, NULL, 2);
    thread(locker, NULL);
    thread(locker, "first");
    pthread_exit(NULL);
}

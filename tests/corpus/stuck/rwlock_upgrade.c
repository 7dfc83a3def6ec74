// corpus: stuck
// what: a reader asks for the write lock without giving up its read lock
#include "corpus.h"

int main(void) {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_rdlock(&lock);
    up();
    pthread_rwlock_wrlock(&lock);
}

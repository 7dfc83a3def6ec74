// corpus: stuck
// what: the parent waits for a child that waits for itself
// says: child
#include "corpus.h"

int main(void) {
    if (!CHECK(fork())) {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&mutex);
    }
    up();
    wait(NULL);
}

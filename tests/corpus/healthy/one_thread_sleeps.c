// corpus: healthy
// what: two threads deadlock, but a third one sleeps, and may do anything when it wakes
#include "corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *sleeper(void *unused) {
    rest();
    return unused;
}

static void *locker(void *unused) {
    pthread_mutex_lock(&mutex);
    return unused;
}

int main(void) {
    thread(sleeper, NULL);
    pthread_mutex_lock(&mutex);
    thread(locker, NULL);
    up();
    pthread_mutex_lock(&mutex);
}

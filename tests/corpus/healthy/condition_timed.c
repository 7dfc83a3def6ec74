// corpus: healthy
// what: a thread waits for a condition with a time limit
#include "corpus.h"

int main(void) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3600;
    pthread_mutex_lock(&mutex);
    up();
    pthread_cond_timedwait(&condition, &mutex, &until);
}

// corpus: stuck
// what: a real-time program waits for a mutex with priority inheritance, whose holder waits for a condition
#include "corpus.h"

static pthread_mutex_t mutex;
static sem_t held, never;

static void *holder(void *unused) {
    pthread_mutex_lock(&mutex);
    sem_post(&held);
    sem_wait(&never);
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attributes);
    sem_init(&held, 0, 0);
    sem_init(&never, 0, 0);
    thread(holder, NULL);
    sem_wait(&held);
    up();
    pthread_mutex_lock(&mutex);
}

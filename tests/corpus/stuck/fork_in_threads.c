// corpus: stuck
// what: a process forks while another of its threads holds a lock; in the child nobody will release it
#include "corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, forked;

static void *holder(void *unused) {
    pthread_mutex_lock(&mutex);
    sem_post(&held);
    sem_wait(&forked);
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void) {
    pthread_t id = thread(holder, NULL);
    sem_wait(&held);
    pid_t child = CHECK(fork());
    if (!child) {
        pthread_mutex_lock(&mutex);
        _exit(0);
    }
    sem_post(&forked);
    pthread_join(id, NULL);
    up();
    waitpid(child, NULL, 0);
}

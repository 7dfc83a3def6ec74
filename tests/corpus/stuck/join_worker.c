// corpus: stuck
// what: main joins its workers, which wait for work that nobody will queue any more
#include "corpus.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static int queued, idle, done;

static void *worker(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!done) {
        idle++;
        while (!queued) pthread_cond_wait(&work, &mutex);
        queued--;
        idle--;
    }
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void) {
    pthread_t ids[4];
    for (int i = 0; i < 4; i++) ids[i] = thread(worker, NULL);
    for (int all = 0; !all; pause_ms(10)) {
        pthread_mutex_lock(&mutex);
        all = idle == 4;
        done = all; // ... and the broadcast was forgotten
        pthread_mutex_unlock(&mutex);
    }
    up();
    for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
}

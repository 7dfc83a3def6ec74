// corpus: stuck
// what: three threads join each other in a ring, which the C library does not notice
#include "corpus.h"

static pthread_t ids[3];
static pthread_barrier_t all;

static void *join_next(void *number) {
    long own = (long)number;
    pthread_barrier_wait(&all); // each has its number
    pthread_join(ids[(own + 1) % 3], NULL);
    return NULL;
}

int main(void) {
    pthread_barrier_init(&all, NULL, 3);
    ids[0] = pthread_self();
    ids[1] = thread(join_next, (void *)1);
    ids[2] = thread(join_next, (void *)2);
    up();
    join_next((void *)0);
}

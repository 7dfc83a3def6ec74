// corpus: healthy
// what: the handler of USR1 posts the semaphore that main waits for
#include "corpus.h"

static sem_t reload;

static void post(int number) {
    (void)number;
    sem_post(&reload);
}

int main(void) {
    sem_init(&reload, 0, 0);
    handle(SIGUSR1, post);
    up();
    while (sem_wait(&reload)) {}
}

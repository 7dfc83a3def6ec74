// corpus: healthy
// what: main ended with pthread_exit, and another thread sleeps: the process reads as a zombie
#include "corpus.h"

static void *sleeper(void *unused) {
    pause_ms(100);
    up();
    rest();
    return unused;
}

int main(void) {
    thread(sleeper, NULL);
    pthread_exit(NULL);
}

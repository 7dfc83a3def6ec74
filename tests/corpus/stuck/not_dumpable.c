// corpus: stuck
// what: a program that hides its memory, as ssh-agent does, locks its own mutex twice
// as: root
// unprovable-for-user: what a process that is not dumpable waits for is shown to root only
#include "corpus.h"

int main(void) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    CHECK(prctl(PR_SET_DUMPABLE, 0));
    pthread_mutex_lock(&mutex);
    up();
    pthread_mutex_lock(&mutex);
}

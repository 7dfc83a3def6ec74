// corpus: stuck
// what: the handler of SIGCHLD takes the lock that the interrupted code holds
#include "corpus.h"

static pthread_mutex_t children = PTHREAD_MUTEX_INITIALIZER;

static void reap(int signal) {
    (void)signal;
    up();
    pthread_mutex_lock(&children);
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    pthread_mutex_unlock(&children);
}

int main(void) {
    handle(SIGCHLD, reap);
    pthread_mutex_lock(&children);
    if (!CHECK(fork())) _exit(0);
    rest();
}

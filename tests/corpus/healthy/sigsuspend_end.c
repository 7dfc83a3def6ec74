// corpus: healthy
// what: a server suspends itself until it is told to end, and cleans up then
#include "corpus.h"

int main(void) {
    sigset_t none;
    sigemptyset(&none);
    handle(SIGTERM, ignore);
    handle(SIGCHLD, ignore);
    up();
    sigsuspend(&none);
}

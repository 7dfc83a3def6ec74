// corpus: healthy
// what: a daemon suspends itself until the signal to reload comes
#include "corpus.h"

int main(void) {
    sigset_t none;
    sigemptyset(&none);
    handle(SIGHUP, ignore);
    up();
    sigsuspend(&none);
}

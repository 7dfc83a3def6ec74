// corpus: healthy
// what: a wait for a stopped child is bounded by an alarm, which appears nowhere in /proc
#include "corpus.h"

int main(void) {
    pid_t child = CHECK(fork());
    if (!child) {
        raise(SIGSTOP);
        _exit(0);
    }
    handle(SIGALRM, ignore);
    alarm(3600);
    up();
    waitpid(child, NULL, 0);
}

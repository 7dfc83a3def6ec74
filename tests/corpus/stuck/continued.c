// corpus: stuck
// what: a deadlocked child was stopped and continued in between, which mends nothing
#include "corpus.h"

int main(void) {
    pid_t child = CHECK(fork());
    if (!child) {
        sem_t never;
        sem_init(&never, 0, 0);
        sem_wait(&never);
    }
    pause_ms(100);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    up();
    waitpid(child, NULL, 0);
}

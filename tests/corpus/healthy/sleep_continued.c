// corpus: healthy
// what: a sleeping child was stopped and continued, and now restarts its sleep by another system call
#include "corpus.h"

int main(void) {
    pid_t child = CHECK(fork());
    if (!child) rest();
    pause_ms(200);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    up();
    waitpid(child, NULL, 0);
}

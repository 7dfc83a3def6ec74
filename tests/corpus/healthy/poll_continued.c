// corpus: healthy
// what: a child polls its own pipe with a time limit, was stopped and continued, and polls on by another call
#include "corpus.h"

int main(void) {
    pid_t child = CHECK(fork());
    if (!child) {
        int ends[2];
        CHECK(pipe(ends));
        struct pollfd one = {ends[0], POLLIN};
        poll(&one, 1, 3600 * 1000);
        _exit(0);
    }
    pause_ms(200);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    up();
    waitpid(child, NULL, 0);
}

// corpus: stuck
// what: a second child inherited the pipe that the first one reads, and so its end never comes
// needs: cat
#include "corpus.h"

int main(void) {
    int first[2], second[2];
    CHECK(pipe(first));
    pid_t reader = CHECK(fork());
    if (!reader) {
        close(first[1]);
        dup2(first[0], 0);
        execlp("cat", "cat", NULL);
        _exit(99);
    }
    CHECK(pipe(second));
    if (!CHECK(fork())) {
        close(second[1]);
        dup2(second[0], 0); // and first[1] stays open
        execlp("cat", "cat", NULL);
        _exit(99);
    }
    close(first[0]);
    close(second[0]);
    close(first[1]);
    up();
    waitpid(reader, NULL, 0);
    close(second[1]);
}

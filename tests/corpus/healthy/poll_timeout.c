// corpus: healthy
// what: a parent polls the pipe of a child with a time limit; the child waits for the parent
// needs: cat
#include "corpus.h"

int main(void) {
    int in[2], out[2];
    CHECK(pipe2(in, O_CLOEXEC));
    CHECK(pipe2(out, O_CLOEXEC));
    if (!CHECK(fork())) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("cat", "cat", NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    struct pollfd one = {out[0], POLLIN};
    up();
    poll(&one, 1, 3600 * 1000);
}

// corpus: stuck
// what: a parent polls the output and the errors of a child, which waits for input from the parent
// needs: cat
#include "corpus.h"

int main(void) {
    int in[2], out[2], err[2];
    CHECK(pipe2(in, O_CLOEXEC));
    CHECK(pipe2(out, O_CLOEXEC));
    CHECK(pipe2(err, O_CLOEXEC));
    if (!CHECK(fork())) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execlp("cat", "cat", NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    struct pollfd set[2] = {{out[0], POLLIN}, {err[0], POLLIN}};
    up();
    poll(set, 2, -1);
}

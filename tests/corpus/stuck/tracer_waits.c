// corpus: stuck
// what: a debugger inside the job forgot its tracee, which is stopped, and waits for a pipe
#include "corpus.h"
#include <sys/ptrace.h>

int main(void) {
    int ends[2];
    char byte;
    CHECK(pipe(ends));
    pid_t child = CHECK(fork());
    if (!child) {
        CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        raise(SIGINT);
        return 0;
    }
    waitpid(child, NULL, 0);
    up();
    read(ends[0], &byte, 1);
}

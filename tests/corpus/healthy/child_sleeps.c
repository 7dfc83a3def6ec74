// corpus: healthy
// what: a process waits for its child, which waits for its own child, which sleeps in another session
#include "corpus.h"

int main(void) {
    if (!CHECK(fork())) {
        if (!CHECK(fork())) {
            setsid();
            rest();
        }
        wait(NULL);
        return 0;
    }
    up();
    wait(NULL);
}

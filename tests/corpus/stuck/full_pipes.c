// corpus: stuck
// what: parent and child write into two full pipes, and neither reads
// says: pipe
#include "corpus.h"

static char data[1 << 20];

int main(void) {
    int there[2], back[2];
    CHECK(pipe(there));
    CHECK(pipe(back));
    if (!CHECK(fork())) {
        close(there[1]);
        close(back[0]);
        CHECK(write(back[1], data, sizeof data));
        CHECK(read(there[0], data, sizeof data));
        return 0;
    }
    close(there[0]);
    close(back[1]);
    up();
    CHECK(write(there[1], data, sizeof data));
    CHECK(read(back[0], data, sizeof data));
}

// corpus: stuck
// what: one thread writes more into a pipe than fits, to read it afterwards itself
#include "corpus.h"

static char data[1 << 20];

int main(void) {
    int ends[2];
    CHECK(pipe(ends));
    up();
    CHECK(write(ends[1], data, sizeof data));
    CHECK(read(ends[0], data, sizeof data));
}

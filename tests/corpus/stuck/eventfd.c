// corpus: stuck
// what: a thread reads an eventfd that no thread will write
#include "corpus.h"

int main(void) {
    uint64_t count;
    int wake = CHECK(eventfd(0, EFD_CLOEXEC));
    up();
    read(wake, &count, sizeof count);
}

// corpus: healthy
// what: a wait at an address in a file that is mapped to be read: who changes the file wakes it
#include "corpus.h"
#include <linux/futex.h>

int main(void) {
    int file = CHECK(open(in_dir("file"), O_RDWR | O_CREAT, 0600));
    CHECK(ftruncate(file, 4096));
    int *word = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    if (word == MAP_FAILED) return 95;
    up();
    syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

// corpus: healthy
// what: a 64-bit program sleeps by a 32-bit system call, whose number means another one in its own table
#include "corpus.h"

int main(void) {
    // Below 4 GiB, where a 32-bit call can see it.
    long *hour = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    unsigned *half = (unsigned *)hour;
    half[0] = 3600;
    half[1] = 0;
    up();
    long result;
    // 247 is io_getevents in the table of i386, and waitid in that of x86-64.
    unsigned *context = half + 8;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(245L), "b"(8L), "c"((long)context) : "memory");
    __asm__ volatile("int $0x80" : "=a"(result)
                     : "a"(247L), "b"((long)*context), "c"(1L), "d"(1L), "S"((long)(half + 16)), "D"((long)half)
                     : "memory");
    fprintf(stderr, "io_getevents: %ld\n", result);
}

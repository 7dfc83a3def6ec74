// corpus: healthy
// what: a thread waits for one of two futexes with a time limit, by a newer system call than most know
#include "corpus.h"
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct waiter { uint64_t value, address; uint32_t flags, reserved; };

int main(void) {
    static uint32_t words[2];
    struct waiter waiters[2] = {{0, (uintptr_t)&words[0], 2 | 128, 0}, {0, (uintptr_t)&words[1], 2 | 128, 0}};
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 3600;
    up();
    CHECK(syscall(SYS_futex_waitv, waiters, 2, 0, &until, CLOCK_MONOTONIC));
}

// corpus: healthy
// what: an event loop waits for io_uring, which has a time limit among its operations
#include "corpus.h"
#include <linux/io_uring.h>
#include <linux/time_types.h>

int main(void) {
    struct io_uring_params parameters = {0};
    int ring = CHECK(syscall(SYS_io_uring_setup, 4, &parameters));
    size_t size = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    char *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    struct __kernel_timespec hour = {3600, 0};
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_TIMEOUT, .addr = (uintptr_t)&hour, .len = 1};
    *(unsigned *)(queue + parameters.sq_off.array) = 0;
    ++*(unsigned *)(queue + parameters.sq_off.tail);
    up();
    CHECK(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
}

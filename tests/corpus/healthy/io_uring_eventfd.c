// corpus: healthy
// what: an accept under way in an io_uring will count up an eventfd
#include "corpus.h"
#include <linux/io_uring.h>

int main(void) {
    struct io_uring_params parameters = {0};
    uint64_t count;
    int ring = syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0) {
        perror("io_uring_setup");
        return 77;
    }
    size_t size = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    char *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    int done = CHECK(eventfd(0, 0));
    CHECK(syscall(SYS_io_uring_register, ring, IORING_REGISTER_EVENTFD, &done, 1));
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = tcp_listener()};
    *(unsigned *)(queue + parameters.sq_off.array) = 0;
    ++*(unsigned *)(queue + parameters.sq_off.tail);
    CHECK(syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0));
    up();
    read(done, &count, sizeof count);
}

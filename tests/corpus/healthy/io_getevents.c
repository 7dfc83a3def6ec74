// corpus: healthy
// what: a program waits for asynchronous I/O with a time limit
#include "corpus.h"
#include <linux/aio_abi.h>

int main(void) {
    aio_context_t context = 0;
    struct io_event event;
    struct timespec hour = {3600, 0};
    CHECK(syscall(SYS_io_setup, 8, &context));
    up();
    CHECK(syscall(SYS_io_getevents, context, 1, 1, &event, &hour));
}

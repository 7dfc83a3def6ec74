// corpus: healthy
// what: asynchronous I/O under way, on a listening socket, will count up an eventfd
#include "corpus.h"
#include <linux/aio_abi.h>

int main(void) {
    aio_context_t context = 0;
    uint64_t count;
    if (syscall(SYS_io_setup, 4, &context)) {
        perror("io_setup");
        return 77;
    }
    int done = CHECK(eventfd(0, 0));
    struct iocb wait = {.aio_fildes = tcp_listener(), .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN,
                        .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = done};
    struct iocb *all[] = {&wait};
    if (syscall(SYS_io_submit, context, 1, all) != 1) {
        perror("io_submit");
        return 77;
    }
    up();
    read(done, &count, sizeof count);
}

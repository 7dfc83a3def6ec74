// corpus: healthy
// what: a page of its memory is filled by a pager outside, which takes its time (userfaultfd)
// outside: {program} outside
#include "corpus.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int listener = unix_listener("pager", 5);
        ready();
        receive_fd(CHECK(accept(listener, NULL, NULL)));
        rest();
    }
    struct uffdio_api api = {.api = UFFD_API};
    int pager = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    if (pager < 0) {
        perror("userfaultfd");
        return 77;
    }
    CHECK(ioctl(pager, UFFDIO_API, &api));
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = {{(uintptr_t)page, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
    CHECK(ioctl(pager, UFFDIO_REGISTER, &range));
    send_fd(unix_client("pager"), pager);
    close(pager);
    up();
    return *(volatile char *)page;
}

// corpus: healthy
// what: a pager waits for a page to be touched
#include "corpus.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

int main(void) {
    struct uffd_msg message;
    struct uffdio_api api = {.api = UFFD_API};
    int fd = CHECK(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
    CHECK(ioctl(fd, UFFDIO_API, &api));
    up();
    read(fd, &message, sizeof message);
}

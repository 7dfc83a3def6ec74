// corpus: healthy
// what: a program waits for any file of a directory to be opened
// as: root
// unprovable-for-user: fanotify needs a privilege
#include "corpus.h"
#include <sys/fanotify.h>

int main(void) {
    char data[4096];
    int fd = CHECK(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY));
    CHECK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, in_dir(".")));
    up();
    while (read(fd, data, sizeof data) > 0) {}
}

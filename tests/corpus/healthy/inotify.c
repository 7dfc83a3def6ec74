// corpus: healthy
// what: a program waits for a change in a directory
#include "corpus.h"
#include <sys/inotify.h>

int main(void) {
    char data[4096];
    int fd = CHECK(inotify_init());
    CHECK(inotify_add_watch(fd, "/etc", IN_CREATE));
    up();
    read(fd, data, sizeof data);
}

// corpus: healthy
// what: a program selects, without a time limit, on changes of a directory and on its own pipe
#include "corpus.h"
#include <sys/inotify.h>

int main(void) {
    int ends[2], fd = CHECK(inotify_init());
    fd_set set;
    CHECK(pipe(ends));
    CHECK(inotify_add_watch(fd, "/etc", IN_CREATE));
    FD_ZERO(&set);
    FD_SET(fd, &set);
    FD_SET(ends[0], &set);
    up();
    select((fd > ends[0] ? fd : ends[0]) + 1, &set, NULL, NULL, NULL);
}

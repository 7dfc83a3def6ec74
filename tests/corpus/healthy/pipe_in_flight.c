// corpus: healthy
// what: the only write end of the pipe is on its way to a process outside, and in no process's table
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    int ends[2];
    if (is_outside(argc, argv)) {
        int listener = unix_listener("socket", 5);
        ready();
        for (;;) accept(listener, NULL, NULL);
    }
    CHECK(pipe(ends));
    int connection = unix_client("socket");
    send_fd(connection, ends[1]);
    close(ends[1]);
    up();
    read(ends[0], &byte, 1);
}

// corpus: healthy
// what: a program waits for a POSIX message that a process outside will send
// outside: {program} outside
#include "corpus.h"
#include <mqueue.h>

int main(int argc, char **argv) {
    char name[NAME_MAX], data[64];
    struct stat dir;
    CHECK(stat(getenv("CORPUS_DIR"), &dir));
    snprintf(name, sizeof name, "/corpus-%ld", (long)dir.st_ino);
    if (is_outside(argc, argv)) {
        struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = sizeof data};
        sigset_t ends;
        int number;
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        CHECK(mq_open(name, O_CREAT | O_RDWR, 0600, &attributes));
        ready();
        sigwait(&ends, &number);
        return mq_unlink(name);
    }
    mqd_t queue = CHECK(mq_open(name, O_RDONLY));
    up();
    mq_receive(queue, data, sizeof data, NULL);
}

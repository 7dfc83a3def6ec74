// corpus: healthy
// what: a program waits for a POSIX message
#include "corpus.h"
#include <mqueue.h>

int main(void) {
    char name[NAME_MAX], data[64];
    snprintf(name, sizeof name, "/corpus-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = sizeof data};
    mqd_t queue = CHECK(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes));
    mq_unlink(name); // who has it open may send, and nothing is left behind
    up();
    mq_receive(queue, data, sizeof data, NULL);
}

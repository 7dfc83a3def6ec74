// corpus: healthy
// what: a program waits for a System V message that a process outside will send
// outside: {program} outside
#include "corpus.h"
#include <sys/msg.h>

int main(int argc, char **argv) {
    int queue;
    if (is_outside(argc, argv)) {
        sigset_t ends;
        int number;
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, NULL);
        queue = CHECK(msgget(IPC_PRIVATE, 0600));
        FILE *file = fopen(in_dir("id"), "w");
        fprintf(file, "%d", queue);
        fclose(file);
        ready();
        sigwait(&ends, &number);
        return msgctl(queue, IPC_RMID, NULL);
    }
    struct { long type; char text[8]; } message;
    FILE *file = fopen(in_dir("id"), "r");
    if (!file || fscanf(file, "%d", &queue) != 1) return 1;
    up();
    msgrcv(queue, &message, sizeof message.text, 0, 0);
}

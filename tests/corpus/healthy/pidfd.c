// corpus: healthy
// what: a program waits, by a descriptor, for the end of a process outside
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    int pid = getpid();
    if (is_outside(argc, argv)) {
        FILE *file = fopen(in_dir("pid"), "w");
        fprintf(file, "%d", pid);
        fclose(file);
        ready();
        rest();
    }
    FILE *file = fopen(in_dir("pid"), "r");
    if (!file || fscanf(file, "%d", &pid) != 1) return 1;
    struct pollfd end = {CHECK(syscall(SYS_pidfd_open, pid, 0)), POLLIN};
    up();
    poll(&end, 1, -1);
}

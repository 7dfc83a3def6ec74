// corpus: healthy
// what: somebody outside looks at a deadlocked program with a debugger, which has stopped it
// outside: {program} outside
#include "corpus.h"
#include <sys/ptrace.h>

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int pid = 0;
        ready();
        while (access(in_dir("pid"), F_OK)) pause_ms(20);
        FILE *file = fopen(in_dir("pid"), "r");
        if (!file || fscanf(file, "%d", &pid) != 1) return 1;
        CHECK(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
        CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
        CHECK(waitpid(pid, NULL, __WALL));
        up();
        rest();
    }
    sem_t never;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    FILE *file = fopen(in_dir("pid.new"), "w");
    fprintf(file, "%d", getpid());
    fclose(file);
    rename(in_dir("pid.new"), in_dir("pid"));
    sem_init(&never, 0, 0);
    sem_wait(&never);
}

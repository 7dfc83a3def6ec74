// corpus: stuck
// what: a program sends all its input to a filter, and reads what comes back only then
// needs: cat
#include "corpus.h"
#include <spawn.h>
extern char **environ;

static char data[1 << 20];

int main(void) {
    int in[2], out[2];
    CHECK(pipe2(in, O_CLOEXEC));
    CHECK(pipe2(out, O_CLOEXEC));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char *command[] = {"cat", NULL};
    pid_t child;
    if (posix_spawnp(&child, "cat", &actions, NULL, command, environ)) return 1;
    close(in[0]);
    close(out[1]);
    up();
    CHECK(write(in[1], data, sizeof data));
    close(in[1]);
    CHECK(read(out[0], data, sizeof data));
    waitpid(child, NULL, 0);
}

// corpus: stuck
// what: a program asks a question on a terminal where nobody sits
// outside: {program} outside
// says: input
#include "corpus.h"

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) {
        int master = CHECK(posix_openpt(O_RDWR | O_NOCTTY));
        CHECK(grantpt(master));
        CHECK(unlockpt(master));
        FILE *file = fopen(in_dir("terminal"), "w");
        fprintf(file, "%s", ptsname(master));
        fclose(file);
        ready();
        rest();
    }
    char name[64] = {0}, answer[64];
    FILE *file = fopen(in_dir("terminal"), "r");
    fscanf(file, "%63s", name);
    int terminal = CHECK(open(name, O_RDWR));
    dprintf(terminal, "overwrite? [y/n] ");
    up();
    read(terminal, answer, sizeof answer);
}

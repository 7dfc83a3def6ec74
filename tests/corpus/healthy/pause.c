// corpus: healthy
// what: a program pauses until somebody sends it a signal
#include "corpus.h"

int main(void) {
    handle(SIGHUP, ignore);
    up();
    pause();
}

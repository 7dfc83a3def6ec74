// corpus: stuck
// what: the child of a vfork was stopped before it could exec
// unprovable: the parent of a vfork waits in state D, which a device might end
#include "corpus.h"

int main(void) {
    up();
    if (!vfork()) {
        raise(SIGSTOP);
        _exit(0);
    }
}

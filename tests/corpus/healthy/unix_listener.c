// corpus: healthy
// what: a server waits for connections to its unix socket
#include "corpus.h"

int main(void) {
    int listener = unix_listener("socket", 5);
    up();
    accept(listener, NULL, NULL);
}

// corpus: healthy
// what: a server waits for connections
// says: tcp
#include "corpus.h"

int main(void) {
    int listener = tcp_listener();
    up();
    accept(listener, NULL, NULL);
}

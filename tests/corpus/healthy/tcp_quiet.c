// corpus: healthy
// what: a client waits for the answer of a slow server outside
// outside: {program} outside
// says: tcp
#include "corpus.h"

int main(int argc, char **argv) {
    char byte;
    if (is_outside(argc, argv)) quiet_server();
    int connection = tcp_client();
    up();
    read(connection, &byte, 1);
}

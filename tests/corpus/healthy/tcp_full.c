// corpus: healthy
// what: a client sends more than the slow server outside has read
// outside: {program} outside
#include "corpus.h"

static char data[64 << 20];

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) quiet_server();
    int connection = tcp_client();
    up();
    write(connection, data, sizeof data);
}

// corpus: healthy
// what: a client polls its connection and its own pipe, without a time limit
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) quiet_server();
    int ends[2], connection = tcp_client();
    CHECK(pipe(ends));
    struct pollfd set[2] = {{ends[0], POLLIN}, {connection, POLLIN}};
    up();
    poll(set, 2, -1);
}

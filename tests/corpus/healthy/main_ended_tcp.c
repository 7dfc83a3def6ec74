// corpus: healthy
// what: main ended, and another thread waits for a server outside; /proc/PID/fd is empty
// outside: {program} outside
#include "corpus.h"

static void *client(void *unused) {
    char byte;
    int connection = tcp_client();
    pause_ms(100);
    up();
    read(connection, &byte, 1);
    return unused;
}

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) quiet_server();
    thread(client, NULL);
    pthread_exit(NULL);
}

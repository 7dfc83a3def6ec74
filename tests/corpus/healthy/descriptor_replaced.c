// corpus: healthy
// what: while a thread reads from a server, another one puts /dev/null in place of the descriptor
// outside: {program} outside
#include "corpus.h"

static int server;

static void *reader(void *unused) {
    char byte;
    (void)unused;
    read(server, &byte, 1);
    return NULL;
}

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) quiet_server();
    server = tcp_client();
    pthread_t waits = thread(reader, NULL);
    pause_ms(300);
    CHECK(dup2(CHECK(open("/dev/null", O_RDONLY)), server));
    up();
    pthread_join(waits, NULL);
}

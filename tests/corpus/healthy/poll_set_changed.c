// corpus: healthy
// what: while a thread polls a server and a pipe, another one takes the server out of the array
// outside: {program} outside
#include "corpus.h"

static struct pollfd set[2];

static void *poller(void *unused) {
    (void)unused;
    poll(set, 2, -1);
    return NULL;
}

int main(int argc, char **argv) {
    if (is_outside(argc, argv)) quiet_server();
    int ends[2];
    CHECK(pipe(ends));
    set[0] = (struct pollfd){.fd = tcp_client(), .events = POLLIN};
    set[1] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    pthread_t waits = thread(poller, NULL);
    pause_ms(300);
    set[0].fd = -1;
    up();
    pthread_join(waits, NULL);
}

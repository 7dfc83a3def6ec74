// corpus: healthy
// what: a program waits for datagrams at its unix socket, as a log daemon does
#include "corpus.h"

int main(void) {
    char data[64];
    struct sockaddr_un address = unix_address("log");
    int fd = CHECK(socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address));
    up();
    read(fd, data, sizeof data);
}

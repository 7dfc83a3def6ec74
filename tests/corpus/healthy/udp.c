// corpus: healthy
// what: a program waits for datagrams on its port
#include "corpus.h"

int main(void) {
    char data[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = CHECK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address));
    up();
    recv(fd, data, sizeof data, 0);
}

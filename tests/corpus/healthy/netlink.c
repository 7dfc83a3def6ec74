// corpus: healthy
// what: a program waits until the kernel tells of a change of the network
#include "corpus.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

int main(void) {
    char data[4096];
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = CHECK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address));
    up();
    recv(fd, data, sizeof data, 0);
}

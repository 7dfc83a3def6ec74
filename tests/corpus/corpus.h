// What the cases in C share: the usual headers, and the sign that a program is where it will wait.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call) \
    ({ \
        __typeof__(call) result_ = (call); \
        if ((long)result_ == -1) { \
            fprintf(stderr, "%s: %s\n", #call, strerror(errno)); \
            _exit(99); \
        } \
        result_; \
    })

// A path in the directory of this case.
static inline char *in_dir(const char *name) {
    char *path = malloc(PATH_MAX);
    snprintf(path, PATH_MAX, "%s/%s", getenv("CORPUS_DIR"), name);
    return path;
}

static inline void create(const char *name) {
    close(CHECK(open(in_dir(name), O_CREAT | O_WRONLY, 0600)));
}

// Just before it waits.
static inline void up(void) { create("up"); }

// In a companion: the case may begin.
static inline void ready(void) { create("ready"); }

static inline int is_outside(int argc, char **argv) {
    return argc > 1 && !strcmp(argv[1], "outside");
}

static inline void rest(void) {
    for (;;) sleep(3600);
}

static inline pthread_t thread(void *(*body)(void *), void *argument) {
    pthread_t id;
    if (pthread_create(&id, NULL, body, argument)) _exit(98);
    return id;
}

// A short pause, to let others get where they will wait.
static inline void pause_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static inline struct sockaddr_un unix_address(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = in_dir(name);
    if (strlen(path) >= sizeof address.sun_path) _exit(97);
    strcpy(address.sun_path, path);
    return address;
}

static inline int unix_listener(const char *name, int backlog) {
    struct sockaddr_un address = unix_address(name);
    int fd = CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address));
    CHECK(listen(fd, backlog));
    return fd;
}

static inline int unix_client(const char *name) {
    struct sockaddr_un address = unix_address(name);
    int fd = CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

// Listens on a free port of the loopback, and leaves its number in a file for tcp_client.
static inline int tcp_listener(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = CHECK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address));
    CHECK(listen(fd, 5));
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length));
    FILE *file = fopen(in_dir("port"), "w");
    fprintf(file, "%d\n", ntohs(address.sin_port));
    fclose(file);
    return fd;
}

static inline int tcp_client(void) {
    int port = 0;
    FILE *file = fopen(in_dir("port"), "r");
    if (!file || fscanf(file, "%d", &port) != 1) _exit(96);
    fclose(file);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
    int fd = CHECK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

// A companion that accepts on a TCP port, and then says nothing.
static inline void quiet_server(void) {
    int listener = tcp_listener();
    ready();
    for (;;) accept(listener, NULL, NULL);
}

static inline void send_fd(int socket, int fd) {
    char byte = 'x', control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    CHECK(sendmsg(socket, &message, 0));
}

static inline int receive_fd(int socket) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    CHECK(recvmsg(socket, &message, 0));
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

// A companion that hands a descriptor to the case, and keeps the other end.
static inline void hand_over(int fd) {
    int listener = unix_listener("hand", 5);
    ready();
    send_fd(CHECK(accept(listener, NULL, NULL)), fd);
    rest();
}

static inline int handed_over(void) {
    int socket = unix_client("hand");
    int fd = receive_fd(socket);
    close(socket);
    return fd;
}

static inline void *shared_memory(const char *name, size_t size) {
    int fd = CHECK(open(in_dir(name), O_RDWR | O_CREAT, 0600));
    CHECK(ftruncate(fd, size));
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) _exit(95);
    close(fd);
    return memory;
}

static inline void ignore(int signal) { (void)signal; }

static inline void handle(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(number, &action, NULL));
}

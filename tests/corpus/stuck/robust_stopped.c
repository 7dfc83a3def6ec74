// corpus: stuck
// what: a mutex shared between processes is held by a child that was stopped
// says: stopped
#include "corpus.h"

int main(void) {
    pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    pid_t child = CHECK(fork());
    if (!child) {
        pthread_mutex_lock(mutex);
        raise(SIGSTOP);
        pthread_mutex_unlock(mutex);
        _exit(0);
    }
    waitpid(child, NULL, WUNTRACED);
    up();
    pthread_mutex_lock(mutex);
}

// corpus: healthy
// what: the file with the shared mutex was removed, but a process outside still maps it, and holds the mutex
// outside: {program} outside
#include "corpus.h"

int main(int argc, char **argv) {
    pthread_mutex_t *mutex = shared_memory("mutex", 4096);
    if (is_outside(argc, argv)) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutex_init(mutex, &attributes);
        pthread_mutex_lock(mutex);
        ready();
        rest();
    }
    CHECK(unlink(in_dir("mutex")));
    up();
    pthread_mutex_lock(mutex);
}

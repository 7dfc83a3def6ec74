// corpus: stuck
// what: a callback locks the mutex that its caller holds
#include "corpus.h"

static pthread_mutex_t list = PTHREAD_MUTEX_INITIALIZER;

static void remove_item(void) {
    pthread_mutex_lock(&list);
    pthread_mutex_unlock(&list);
}

static void for_each(void (*callback)(void)) {
    pthread_mutex_lock(&list);
    callback();
    pthread_mutex_unlock(&list);
}

int main(void) {
    up();
    for_each(remove_item);
}

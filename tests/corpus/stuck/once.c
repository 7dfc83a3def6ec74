// corpus: stuck
// what: an initialiser that runs once needs, three calls deeper, what it initialises
#include "corpus.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialise(void) {
    up();
    pthread_once(&once, initialise);
}

int main(void) {
    pthread_once(&once, initialise);
}

# corpus: stuck
# what: a method that holds the lock calls another that takes it again
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import threading

lock = threading.Lock()


def add():
    with lock:
        total()


def total():
    with lock:
        return 0


open("up", "w").close()
add()

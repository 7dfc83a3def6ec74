# corpus: stuck
# what: the main thread has ended by itself, and the one left waits for a lock
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import ctypes
import threading

lock = threading.Lock()
lock.acquire()


def work():
    open("up", "w").close()
    lock.acquire()


threading.Thread(target=work).start()
# Ends this thread alone, as a C program with pthread_exit in main does.
ctypes.CDLL(None).syscall(60, 0)

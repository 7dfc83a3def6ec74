# corpus: stuck
# what: a process forks while another of its threads holds a lock, which the child then wants
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import os
import threading

lock = threading.Lock()
held, forked = threading.Event(), threading.Event()


def work():
    with lock:
        held.set()
        forked.wait()


threading.Thread(target=work).start()
held.wait()
child = os.fork()
if child == 0:
    open("up", "w").close()
    lock.acquire()
forked.set()
os.waitpid(child, 0)

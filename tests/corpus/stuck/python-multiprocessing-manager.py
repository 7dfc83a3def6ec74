# corpus: stuck
# what: a lock kept by a manager process is taken twice
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: the manager listens on a socket that anybody may connect to

import multiprocessing

with multiprocessing.Manager() as manager:
    lock = manager.Lock()
    lock.acquire()
    open("up", "w").close()
    lock.acquire()

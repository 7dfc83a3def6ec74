# corpus: stuck
# what: a worker process died with a lock that the parent wants
# run: /usr/bin/python3 {file}
# needs: python3
# as: root
# unprovable-for-user: whether the memory of its lock has another name is for root to see

import multiprocessing
import os


def work(lock):
    lock.acquire()
    os._exit(1)


lock = multiprocessing.Lock()
worker = multiprocessing.Process(target=work, args=(lock,))
worker.start()
worker.join()
open("up", "w").close()
lock.acquire()

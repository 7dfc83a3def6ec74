# corpus: stuck
# what: a worker process died with a lock that the parent wants
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: where a process cannot be looked into (PID 1 on some machines), it may have the memory too

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

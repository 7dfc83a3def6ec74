# corpus: stuck
# what: a worker process was stopped while it held a lock that the parent wants
# run: /usr/bin/python3 {file}
# needs: python3
# as: root
# unprovable-for-user: whether the memory of its lock has another name is for root to see

import multiprocessing
import os
import signal


def work(lock):
    lock.acquire()
    os.kill(os.getpid(), signal.SIGSTOP)


lock = multiprocessing.Lock()
worker = multiprocessing.Process(target=work, args=(lock,))
worker.start()
os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT)
open("up", "w").close()
lock.acquire()

# corpus: stuck
# what: a worker process was stopped while it held a lock that the parent wants
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: where a process cannot be looked into (PID 1 on some machines), it may have the memory too

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

# corpus: healthy
# what: a semaphore in a System V segment, which any process may attach by its number, and none has yet
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import sys

IPC_CREAT, IPC_RMID = 0o1000, 0
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p

if sys.argv[1:] == ["outside"]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    segment = libc.shmget(0, 4096, IPC_CREAT | 0o600)
    with open("segment", "w") as file:
        file.write(str(segment))
    open("ready", "w").close()
    signal.sigwait({signal.SIGTERM})
    libc.shmctl(segment, IPC_RMID, None)
    sys.exit()

semaphore = ctypes.c_void_p(libc.shmat(int(open("segment").read()), None, 0))
libc.sem_init(semaphore, 1, 0)
open("up", "w").close()
libc.sem_wait(semaphore)

# corpus: healthy
# what: a named semaphore that any process may post
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import sys

libc = ctypes.CDLL(None)
libc.sem_open.restype = ctypes.c_void_p
name = f"/{os.path.basename(os.getcwd())}".encode()

if sys.argv[1:] == ["outside"]:
    # Only takes the name away at the end: while it waits it has not opened the semaphore.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    open("ready", "w").close()
    signal.sigwait({signal.SIGTERM})
    libc.sem_unlink(name)
    sys.exit()

semaphore = ctypes.c_void_p(libc.sem_open(name, os.O_CREAT, 0o600, 0))
open("up", "w").close()
libc.sem_wait(semaphore)

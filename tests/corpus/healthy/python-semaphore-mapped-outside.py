# corpus: healthy
# what: a semaphore in a file without a name, which a program outside has mapped too
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import mmap
import os
import signal
import sys

with open("page", "ab+") as file:
    file.truncate(4096)
    page = mmap.mmap(file.fileno(), 4096)
if sys.argv[1:] == ["outside"]:
    open("ready", "w").close()
    signal.pause()

os.unlink("page")
libc = ctypes.CDLL(None)
semaphore = ctypes.byref(ctypes.c_char.from_buffer(page))
libc.sem_init(semaphore, 1, 0)
open("up", "w").close()
libc.sem_wait(semaphore)

# corpus: stuck
# what: two processes wait for one another on semaphores in anonymous shared memory
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import mmap
import os

libc = ctypes.CDLL(None)
page = mmap.mmap(-1, 4096)
one, two = (ctypes.byref(ctypes.c_char.from_buffer(page, at)) for at in (0, 64))
for semaphore in (one, two):
    libc.sem_init(semaphore, 1, 0)
mine = one if os.fork() else two
open("up", "w").close()
libc.sem_wait(mine)

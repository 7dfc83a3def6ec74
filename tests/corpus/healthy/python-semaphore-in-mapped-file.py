# corpus: healthy
# what: a semaphore in a mapped file, which any process may map and post
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import mmap

libc = ctypes.CDLL(None)
with open("page", "wb+") as file:
    file.truncate(4096)
    page = mmap.mmap(file.fileno(), 4096)
semaphore = ctypes.byref(ctypes.c_char.from_buffer(page))
libc.sem_init(semaphore, 1, 0)
open("up", "w").close()
libc.sem_wait(semaphore)

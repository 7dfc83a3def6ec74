# corpus: healthy
# what: a semaphore in a memfd, which a program outside got over a socket and may map
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import mmap
import os
import signal
import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    open("ready", "w").close()
    client, _ = server.accept()
    socket.recv_fds(client, 1, 1)
    client.close()
    signal.pause()

memory = os.memfd_create("page")
os.truncate(memory, 4096)
page = mmap.mmap(memory, 4096)
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [memory])
client.recv(1)
client.close()
os.close(memory)
libc = ctypes.CDLL(None)
semaphore = ctypes.byref(ctypes.c_char.from_buffer(page))
libc.sem_init(semaphore, 1, 0)
open("up", "w").close()
libc.sem_wait(semaphore)

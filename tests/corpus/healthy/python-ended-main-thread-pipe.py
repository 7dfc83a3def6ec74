# corpus: healthy
# what: the main thread has ended by itself, and another one reads a pipe from outside
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import array
import ctypes
import os
import signal
import socket
import sys
import threading

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    read, write = os.pipe()
    open("ready", "w").close()
    client, _ = server.accept()
    socket.send_fds(client, [b"."], [read])
    client.close()
    signal.pause()

client = socket.socket(socket.AF_UNIX)
client.connect("socket")
_, [read], _, _ = socket.recv_fds(client, 1, 1)
client.close()
threading.Thread(target=os.read, args=(read, 1)).start()
open("up", "w").close()
ctypes.CDLL(None).syscall(60, 0)

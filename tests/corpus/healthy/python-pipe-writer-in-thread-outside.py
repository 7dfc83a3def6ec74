# corpus: healthy
# what: as before, but the program outside lives on in a thread whose main thread has ended
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

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

    def serve():
        client, _ = server.accept()
        socket.recv_fds(client, 1, 1)
        client.close()
        server.accept()

    threading.Thread(target=serve).start()
    open("ready", "w").close()
    ctypes.CDLL(None).syscall(60, 0)

read, write = os.pipe()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [write])
client.recv(1)
client.close()
open("up", "w").close()
os.read(read, 1)

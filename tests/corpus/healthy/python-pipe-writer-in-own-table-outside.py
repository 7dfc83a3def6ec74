# corpus: healthy
# what: as before, but only one thread of the program outside has the descriptor, in a table of its own
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import socket
import sys
import threading

CLONE_FILES = 0x400

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()

    def serve():
        ctypes.CDLL(None).unshare(CLONE_FILES)
        client, _ = server.accept()
        socket.recv_fds(client, 1, 1)
        client.close()
        server.accept()

    threading.Thread(target=serve).start()
    open("ready", "w").close()
    signal.pause()

read, write = os.pipe()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [write])
client.recv(1)
client.close()
open("up", "w").close()
os.read(read, 1)

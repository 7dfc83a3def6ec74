# corpus: healthy
# what: one end of a socket pair was given to a program outside
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

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

one, two = socket.socketpair()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [two.fileno()])
client.recv(1)
client.close()
open("up", "w").close()
one.recv(1)

# corpus: healthy
# what: an eventfd that a program outside holds too
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

event = os.eventfd(0)
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [event])
client.recv(1)
client.close()
open("up", "w").close()
os.eventfd_read(event)

# corpus: healthy
# what: one end of a socket pair is on its way to a program outside; the job keeps a copy
# limit: a descriptor in a message whose sender has gone belongs to nobody who can be asked
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
    signal.pause()

one, two = socket.socketpair()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [two.fileno()])
client.close()
open("up", "w").close()
one.recv(1)

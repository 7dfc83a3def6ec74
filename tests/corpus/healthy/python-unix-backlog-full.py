# corpus: healthy
# what: a client cannot connect yet, as the queue of a unix socket outside is full
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import signal
import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen(0)
    first = socket.socket(socket.AF_UNIX)
    first.connect("socket")
    open("ready", "w").close()
    signal.pause()

client = socket.socket(socket.AF_UNIX)
open("up", "w").close()
client.connect("socket")
client.recv(1)

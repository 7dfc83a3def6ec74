# corpus: healthy
# what: a client whose connection to a unix socket outside is not accepted yet
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import signal
import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    open("ready", "w").close()
    signal.pause()

client = socket.socket(socket.AF_UNIX)
client.connect("socket")
open("up", "w").close()
client.recv(1)

# corpus: healthy
# what: the writing end of a pipe is on its way to a program outside, in a message not yet read
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

read, write = os.pipe()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [write])
client.close()
os.close(write)
open("up", "w").close()
os.read(read, 1)

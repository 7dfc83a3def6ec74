# corpus: healthy
# what: the holder of a lock in the job shares its descriptor with a program outside, which may unlock
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import fcntl
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

first, second = open("lock", "w"), open("lock", "w")
fcntl.flock(first, fcntl.LOCK_EX)
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [first.fileno()])
client.recv(1)
client.close()
open("up", "w").close()
fcntl.flock(second, fcntl.LOCK_EX)

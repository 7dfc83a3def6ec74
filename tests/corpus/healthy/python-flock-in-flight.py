# corpus: healthy
# what: the only holder of a lock is a descriptor in a message that a program outside has not read
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import fcntl
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

first, second = open("lock", "w"), open("lock", "w")
fcntl.flock(first, fcntl.LOCK_EX)
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
socket.send_fds(client, [b"."], [first.fileno()])
client.close()
first.close()
open("up", "w").close()
fcntl.flock(second, fcntl.LOCK_EX)

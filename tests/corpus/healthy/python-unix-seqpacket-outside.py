# corpus: healthy
# what: a client waits for a service outside on a unix socket (SEQPACKET)
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind("socket")
    server.listen()
    open("ready", "w").close()
    client, _ = server.accept()
    client.recv(1)

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect("socket")
open("up", "w").close()
client.recv(1)

# corpus: healthy
# what: a service waits for datagrams on a unix socket
# run: /usr/bin/python3 {file}
# needs: python3

import socket

server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("socket")
open("up", "w").close()
server.recv(100)

# corpus: healthy
# what: a service waits for datagrams
# run: /usr/bin/python3 {file}
# needs: python3

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
open("up", "w").close()
server.recv(100)

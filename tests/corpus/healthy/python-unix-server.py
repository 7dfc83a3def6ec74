# corpus: healthy
# what: a server on a unix socket that nobody talks to
# run: /usr/bin/python3 {file}
# needs: python3

import socket

server = socket.socket(socket.AF_UNIX)
server.bind("socket")
server.listen()
open("up", "w").close()
server.accept()

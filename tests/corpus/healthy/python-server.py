# corpus: healthy
# what: a server that nobody talks to
# run: /usr/bin/python3 {file}
# needs: python3

import socket

server = socket.create_server(("127.0.0.1", 0))
open("up", "w").close()
server.accept()

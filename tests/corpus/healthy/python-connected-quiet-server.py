# corpus: healthy
# what: a client waits for the answer of a server that says nothing
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside
# says: (tcp)

import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.create_server(("127.0.0.1", 0))
    with open("port", "w") as file:
        file.write(str(server.getsockname()[1]))
    open("ready", "w").close()
    held = []
    while True:
        held.append(server.accept())

port = int(open("port").read())

connection = socket.create_connection(("127.0.0.1", port))
open("up", "w").close()
connection.recv(1)

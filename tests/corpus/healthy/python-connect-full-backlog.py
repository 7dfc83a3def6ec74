# corpus: healthy
# what: a connection to a server whose queue is full and that does not accept
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import signal
import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    address = server.getsockname()
    first = socket.create_connection(address)
    with open("port", "w") as file:
        file.write(str(address[1]))
    open("ready", "w").close()
    signal.pause()

port = int(open("port").read())
open("up", "w").close()
while True:
    try:
        socket.create_connection(("127.0.0.1", port)).recv(1)
    except ConnectionError:
        pass

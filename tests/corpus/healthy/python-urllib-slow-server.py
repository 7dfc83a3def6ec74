# corpus: healthy
# what: a download from a server that does not answer
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside
# says: (tcp)

import socket
import sys
import urllib.request

if sys.argv[1:] == ["outside"]:
    server = socket.create_server(("127.0.0.1", 0))
    with open("port", "w") as file:
        file.write(str(server.getsockname()[1]))
    open("ready", "w").close()
    held = []
    while True:
        held.append(server.accept())

port = int(open("port").read())

open("up", "w").close()
urllib.request.urlopen(f"http://127.0.0.1:{port}/")

# corpus: healthy
# what: git waits for a server outside that does not answer, through a helper of its own
# run: /usr/bin/python3 {file}
# needs: python3 git
# outside: /usr/bin/python3 {file} outside

import os
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

port = open("port").read()
open("up", "w").close()
os.execvp("git", ["git", "clone", "-q", f"git://127.0.0.1:{port}/repository"])

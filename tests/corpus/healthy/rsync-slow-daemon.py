# corpus: healthy
# what: rsync waits for the greeting of a daemon outside
# run: /usr/bin/python3 {file}
# needs: python3 rsync
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
os.execvp("rsync", ["rsync", f"rsync://127.0.0.1:{port}/module/", "."])

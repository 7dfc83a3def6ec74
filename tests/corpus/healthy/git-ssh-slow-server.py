# corpus: healthy
# what: git waits for ssh, and ssh for a server outside that says nothing
# run: /usr/bin/python3 {file}
# needs: python3 git ssh
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
os.environ["GIT_SSH_COMMAND"] = "ssh -F none -o BatchMode=yes"
open("up", "w").close()
os.execvp("git", ["git", "clone", "-q", f"ssh://nobody@127.0.0.1:{port}/repository"])

# corpus: healthy
# what: a daemon that left its session and its parent, and listens; the command itself waits for its end
# run: /usr/bin/python3 {file}
# needs: python3

import os
import socket

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(read)
        server = socket.create_server(("127.0.0.1", 0))
        open("up", "w").close()
        server.accept()
    os._exit(0)
os.close(write)
os.wait()
os.read(read, 1)

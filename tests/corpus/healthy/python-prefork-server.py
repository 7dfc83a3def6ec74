# corpus: healthy
# what: a server in the manner of gunicorn: the parent waits on a pipe, its children accept
# run: /usr/bin/python3 {file}
# needs: python3

import os
import select
import socket

server = socket.create_server(("127.0.0.1", 0))
read, write = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.close(write)
        server.accept()
server.close()
open("up", "w").close()
select.select([read], [], [])

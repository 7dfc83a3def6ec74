# corpus: stuck
# what: the two ends of a socket pair each wait for the other to speak first
# run: /usr/bin/python3 {file}
# needs: python3

import os
import socket

one, two = socket.socketpair()
if os.fork() == 0:
    one.close()
    two.recv(1)
else:
    two.close()
    open("up", "w").close()
    one.recv(1)

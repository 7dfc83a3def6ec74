# corpus: healthy
# what: the other end of a socket pair is in the job too, but the socket has a time limit of its own
# run: /usr/bin/python3 {file}
# needs: python3

import socket
import struct

one, two = socket.socketpair()
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 1000, 0))
open("up", "w").close()
one.recv(1)

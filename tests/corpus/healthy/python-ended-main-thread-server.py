# corpus: healthy
# what: the main thread has ended by itself, and another one listens
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import socket
import threading

server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=server.accept).start()
open("up", "w").close()
# Ends this thread alone, as a C program with pthread_exit in main does.
ctypes.CDLL(None).syscall(60, 0)

# corpus: healthy
# what: a sandboxed program whose system calls a supervisor outside answers (seccomp), and it takes its time
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import socket
import struct
import sys

SYS_seccomp, SYS_uname, SYS_wait4 = 317, 63, 61
PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 8
ALLOW, USER_NOTIF = 0x7FFF0000, 0x7FC00000

if sys.argv[1:] == ["outside"]:
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    open("ready", "w").close()
    client, _ = server.accept()
    socket.recv_fds(client, 1, 1)
    client.close()
    signal.pause()

client = socket.socket(socket.AF_UNIX)
client.connect("socket")
code = [
    struct.pack("HBBI", 0x20, 0, 0, 0),
    struct.pack("HBBI", 0x15, 0, 1, SYS_wait4),
    struct.pack("HBBI", 0x06, 0, 0, USER_NOTIF),
    struct.pack("HBBI", 0x06, 0, 0, ALLOW),
]
filters = ctypes.create_string_buffer(b"".join(code))
program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters))
libc = ctypes.CDLL(None)
libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
listener = libc.syscall(SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER, program)
socket.send_fds(client, [b"."], [listener])
client.recv(1)
client.close()
os.close(listener)
open("up", "w").close()
os.wait()

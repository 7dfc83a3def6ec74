# corpus: healthy
# what: a person has stopped the program in a debugger
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import sys
import threading

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
PR_SET_PTRACER = 0x59616D61
libc = ctypes.CDLL(None)

if sys.argv[1:] == ["outside"]:
    os.mkfifo("pid")
    open("ready", "w").close()
    with open("pid") as file:
        pid = int(file.read())
    libc.ptrace(PTRACE_SEIZE, pid, None, None)
    libc.ptrace(PTRACE_INTERRUPT, pid, None, None)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED)
    open("up", "w").close()
    signal.pause()

libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
with open("pid", "w") as file:
    file.write(str(os.getpid()))
threading.Event().wait()

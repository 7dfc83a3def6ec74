# corpus: healthy
# what: a tracer waits for news of a process outside the job, as "strace -p" does
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import ctypes
import os
import signal
import sys

PTRACE_SEIZE = 0x4206
PR_SET_PTRACER = 0x59616D61
libc = ctypes.CDLL(None)

if sys.argv[1:] == ["outside"]:
    libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    open("ready", "w").close()
    signal.pause()

libc.ptrace(PTRACE_SEIZE, int(open("pid").read()), None, None)
open("up", "w").close()
os.wait()

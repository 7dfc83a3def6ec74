# corpus: healthy
# what: a POSIX timer is to wake a thread that waits for a lock
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import signal
import struct
import threading

CLOCK_MONOTONIC = 1
signal.signal(signal.SIGALRM, lambda signum, frame: None)
libc = ctypes.CDLL(None)
timer = ctypes.c_void_p()
libc.timer_create(CLOCK_MONOTONIC, None, ctypes.byref(timer))
libc.timer_settime(timer, 0, struct.pack("qqqq", 0, 0, 1000, 0), None)
open("up", "w").close()
threading.Event().wait()

# corpus: healthy
# what: a selector waits for a timerfd
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import selectors
import struct

CLOCK_MONOTONIC = 1
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(CLOCK_MONOTONIC, 0)
libc.timerfd_settime(timer, 0, struct.pack("qqqq", 0, 0, 1000, 0), None)
waits = selectors.DefaultSelector()
waits.register(timer, selectors.EVENT_READ)
open("up", "w").close()
waits.select()

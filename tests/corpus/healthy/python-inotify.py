# corpus: healthy
# what: a program waits for a change of a directory
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import os

IN_CREATE = 0x100
libc = ctypes.CDLL(None)
changes = libc.inotify_init()
libc.inotify_add_watch(changes, b"/", IN_CREATE)
open("up", "w").close()
os.read(changes, 4096)

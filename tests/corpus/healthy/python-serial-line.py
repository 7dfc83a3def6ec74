# corpus: healthy
# what: a logger reads a serial line, which is a terminal that no person sits at
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import os
import pty
import signal
import sys
import termios
import tty

if sys.argv[1:] == ["outside"]:
    device, line = pty.openpty()
    tty.setraw(line)
    with open("line", "w") as file:
        file.write(os.ttyname(line))
    open("ready", "w").close()
    signal.pause()

line = os.open(open("line").read(), os.O_RDONLY | os.O_NOCTTY)
open("up", "w").close()
os.read(line, 1)

# corpus: stuck
# what: a program asks for a password on a terminal that its parent made and only listens to
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: the master of a terminal is a device

import os
import pty

child, terminal = pty.fork()
if child == 0:
    input("Password: ")
else:
    os.read(terminal, 100)
    open("up", "w").close()
    os.read(terminal, 100)

# corpus: healthy
# what: a program reads a named pipe that somebody may write to later
# run: /usr/bin/python3 {file}
# needs: python3

import os

os.mkfifo("fifo")
fifo = os.open("fifo", os.O_RDWR)
open("up", "w").close()
os.read(fifo, 1)

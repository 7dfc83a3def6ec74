# corpus: healthy
# what: a program opens a named pipe, and nobody has the other end yet
# run: /usr/bin/python3 {file}
# needs: python3

import os

os.mkfifo("fifo")
open("up", "w").close()
open("fifo").read()

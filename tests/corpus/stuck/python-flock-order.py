# corpus: stuck
# what: two processes lock two files in opposite order
# run: /usr/bin/python3 {file}
# needs: python3
# says: file lock held by

import fcntl
import os

read_one, write_one = os.pipe()
read_two, write_two = os.pipe()
child = os.fork()
mine, theirs = ("b", "a") if child == 0 else ("a", "b")
held, told = (write_one, read_two) if child == 0 else (write_two, read_one)

first = open(mine, "w")
fcntl.flock(first, fcntl.LOCK_EX)
os.write(held, b".")
os.read(told, 1)
second = open(theirs, "w")
open("up", "w").close()
fcntl.flock(second, fcntl.LOCK_EX)

# corpus: stuck
# what: a process reads from a pipe whose only writing end is its own
# run: /usr/bin/python3 {file}
# needs: python3
# says: a pipe whose writers are all in this job

import os

read, write = os.pipe()
open("up", "w").close()
os.read(read, 1)

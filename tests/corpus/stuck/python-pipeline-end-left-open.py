# corpus: stuck
# what: a pipeline whose parent keeps the writing end, so that the reader never sees the end
# run: /usr/bin/python3 {file}
# needs: python3
# says: a pipe whose writers are all in this job

import os
import subprocess

read, write = os.pipe()
words = subprocess.Popen(["echo", "one"], stdout=write)
count = subprocess.Popen(["cat"], stdin=read, stdout=subprocess.DEVNULL)
words.wait()
open("up", "w").close()
count.wait()

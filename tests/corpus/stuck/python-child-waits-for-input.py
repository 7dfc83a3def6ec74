# corpus: stuck
# what: the parent reads what the child will print only after the end of an input that nobody closes
# run: /usr/bin/python3 {file}
# needs: python3
# says: a pipe whose writers are all in this job

import subprocess

child = subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"b\na\n")
child.stdin.flush()
open("up", "w").close()
child.stdout.read()

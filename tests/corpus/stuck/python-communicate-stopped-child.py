# corpus: stuck
# what: a child was stopped, and the parent wants all it says
# run: /usr/bin/python3 {file}
# needs: python3
# says: stopped

import os
import signal
import subprocess

child = subprocess.Popen(
    ["sleep", "1000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
)
os.kill(child.pid, signal.SIGSTOP)
os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
open("up", "w").close()
child.communicate(b"x" * 1_000_000)

# corpus: stuck
# what: a child fills its output pipe while the parent waits for its end (the warning in the manual of subprocess)
# run: /usr/bin/python3 {file}
# needs: python3

import subprocess
import sys

child = subprocess.Popen([sys.executable, "-c", "print('x' * 1_000_000)"], stdout=subprocess.PIPE)
open("up", "w").close()
child.wait()

# corpus: healthy
# what: a script reads the output of a long, quiet command
# run: /usr/bin/python3 {file}
# needs: python3

import subprocess

open("up", "w").close()
subprocess.run(["sh", "-c", "sleep 1000; echo done"], capture_output=True)

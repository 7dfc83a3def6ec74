# corpus: healthy
# what: a script runs a long, quiet command
# run: /usr/bin/python3 {file}
# needs: python3

import subprocess

open("up", "w").close()
subprocess.run(["sleep", "1000"])

# corpus: stuck
# what: a module starts, while it is imported, a thread that imports it too, and waits for the thread
# run: /usr/bin/python3 {file}
# needs: python3

import os
import sys

with open("busy.py", "w") as module:
    module.write(
        "import threading\n"
        "def load():\n"
        "    open('up', 'w').close()\n"
        "    from busy import value\n"
        "thread = threading.Thread(target=load)\n"
        "thread.start()\n"
        "thread.join()\n"
        "value = 1\n"
    )
sys.path.insert(0, os.getcwd())
import busy

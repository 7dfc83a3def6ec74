# corpus: healthy
# what: a stack dump is set for later, by a thread of the interpreter
# run: /usr/bin/python3 {file}
# needs: python3

import faulthandler
import threading

faulthandler.dump_traceback_later(1000, exit=True)
open("up", "w").close()
threading.Event().wait()

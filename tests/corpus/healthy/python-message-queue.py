# corpus: healthy
# what: a message queue that any process may send to, polled
# run: /usr/bin/python3 {file}
# needs: python3

import ctypes
import os
import select

libc = ctypes.CDLL(None)
name = f"/corpus-{os.getpid()}".encode()
messages = libc.mq_open(name, os.O_CREAT | os.O_RDONLY, 0o600, None)
libc.mq_unlink(name)
waits = select.poll()
waits.register(messages, select.POLLIN)
open("up", "w").close()
waits.poll()

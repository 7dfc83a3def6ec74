# corpus: healthy
# what: a client of a manager process outside, by a unix socket
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import multiprocessing.managers
import queue
import sys


class Manager(multiprocessing.managers.BaseManager):
    pass


tasks = queue.Queue()
Manager.register("tasks", callable=lambda: tasks)
manager = Manager("socket", b"key")
if sys.argv[1:] == ["outside"]:
    server = manager.get_server()
    open("ready", "w").close()
    server.serve_forever()

manager.connect()
mine = manager.tasks()
open("up", "w").close()
mine.get()

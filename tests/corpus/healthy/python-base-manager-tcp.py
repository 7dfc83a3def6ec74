# corpus: healthy
# what: a client of a manager process outside, by TCP
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside
# says: (tcp)

import multiprocessing.managers
import queue
import sys


class Manager(multiprocessing.managers.BaseManager):
    pass


tasks = queue.Queue()
Manager.register("tasks", callable=lambda: tasks)
if sys.argv[1:] == ["outside"]:
    server = Manager(("127.0.0.1", 0), b"key").get_server()
    with open("port", "w") as file:
        file.write(str(server.address[1]))
    open("ready", "w").close()
    server.serve_forever()

manager = Manager(("127.0.0.1", int(open("port").read())), b"key")
manager.connect()
mine = manager.tasks()
open("up", "w").close()
mine.get()

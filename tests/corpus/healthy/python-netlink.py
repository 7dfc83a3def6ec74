# corpus: healthy
# what: a program waits for news of the network devices, as "ip monitor" does
# run: /usr/bin/python3 {file}
# needs: python3

import socket

news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
news.bind((0, 1))
open("up", "w").close()
news.recv(100)

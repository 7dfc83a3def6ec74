# corpus: healthy
# what: an XML-RPC server, idle
# run: /usr/bin/python3 {file}
# needs: python3

import xmlrpc.server

server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0))
open("up", "w").close()
server.serve_forever(poll_interval=None)

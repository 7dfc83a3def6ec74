# corpus: healthy
# what: the HTTP server of the standard library, idle
# run: /usr/bin/python3 {file}
# needs: python3

import http.server

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("up", "w").close()
server.serve_forever()

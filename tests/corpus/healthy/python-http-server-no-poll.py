# corpus: healthy
# what: an HTTP server that handles one request without a time limit
# run: /usr/bin/python3 {file}
# needs: python3

import http.server

server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("up", "w").close()
server.handle_request()

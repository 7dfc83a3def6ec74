# corpus: healthy
# what: a server that nobody talks to
# run: ruby {file}
# needs: ruby

require "socket"

server = TCPServer.new("127.0.0.1", 0)
File.write("up", "")
server.accept

# corpus: healthy
# what: a Tcl server waits for connections
proc connected args {}
socket -server connected -myaddr 127.0.0.1 0
puts begins
flush stdout
vwait forever

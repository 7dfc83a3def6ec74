# corpus: healthy
# what: a Tcl event loop waits for orders from a FIFO
# needs: mkfifo
exec mkfifo fifo
set fifo [open fifo {RDWR NONBLOCK}]
fileevent $fifo readable {gets $fifo line}
puts begins
flush stdout
vwait done

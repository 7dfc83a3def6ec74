# corpus: stuck
# what: an event loop waits for a program of its own that waits for input
# needs: cat
set cat [open "|cat" r+]
fileevent $cat readable {gets $cat line}
puts begins
flush stdout
vwait done

# corpus: stuck
# what: an event loop runs for ever although no event is left to come
puts begins
flush stdout
vwait forever

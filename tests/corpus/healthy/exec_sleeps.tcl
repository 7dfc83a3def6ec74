# corpus: healthy
# what: Tcl waits for a program that takes its time
puts begins
flush stdout
exec sleep 3600

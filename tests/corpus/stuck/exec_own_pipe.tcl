# corpus: stuck
# what: Tcl's exec waits for a program that reads a pipe whose writing end Tcl keeps
# needs: cat
lassign [chan pipe] reader writer
puts begins
flush stdout
exec cat <@ $reader

# corpus: stuck
# what: Tcl talks to a pipeline that answers when its input ends, and asks before
# needs: sort
set sort [open "|sort" r+]
puts $sort "b\na"
flush $sort
puts begins
flush stdout
gets $sort line

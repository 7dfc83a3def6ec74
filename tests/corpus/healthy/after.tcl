# corpus: healthy
# what: a Tcl event loop waits for a timer
after 3600000 {set done 1}
puts begins
flush stdout
vwait done

# corpus: healthy
# what: somebody outside has stopped the program of this job in gdb
# outside: bash -c 'touch ready; until [ -s pid ]; do sleep 0.1; done; sleep 3600 | gdb -q -nx -ex "shell touch up" -p "$(cat pid)"'
# needs: gdb cat
# (cat waits for a FIFO-less pipe of this very job)
exec 3> >(
    echo "$BASHPID" >pid.new
    mv pid.new pid
    exec cat
)
wait $!

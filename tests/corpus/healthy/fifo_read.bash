# corpus: healthy
# what: a script reads orders from a FIFO that a process outside has open
# outside: bash -c 'mkfifo fifo; touch ready; exec 3>fifo; sleep 3600'
# needs: mkfifo
exec 3<fifo
touch up
read -r order <&3

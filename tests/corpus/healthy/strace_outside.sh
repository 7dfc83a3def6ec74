# corpus: healthy
# what: strace follows a process outside, which sleeps
# outside: sh -c 'echo $$ >pid; touch ready; exec sleep 3600'
# needs: strace
(sleep 0.3; touch up) &
strace -o trace -p "$(cat pid)"

# corpus: healthy
# what: Bash waits for the answer of a coprocess that is not ready yet
coproc SLOW { sleep 3600; echo done; }
touch up
read -r line <&"${SLOW[0]}"

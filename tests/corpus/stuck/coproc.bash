# corpus: stuck
# what: Bash asks a coprocess that buffers: it answers when its input ends, which waits for the answer
# needs: tr
# says: pipe
coproc FILTER { exec tr a b; }
echo aaa >&"${FILTER[1]}"
touch up
read -r answer <&"${FILTER[0]}"
echo "$answer"

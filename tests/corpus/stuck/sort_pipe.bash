# corpus: stuck
# what: sort, which catches ALRM and more at every start, waits for the end of an input that the asker keeps open
# needs: sort
coproc SORT { exec sort; }
echo b >&"${SORT[1]}"
echo a >&"${SORT[1]}"
touch up
read -r first <&"${SORT[0]}"
echo "$first"

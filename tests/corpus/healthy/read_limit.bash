# corpus: healthy
# what: read -t waits for a coprocess, which waits too, for an hour at the most
# needs: cat
coproc CAT { exec cat; }
touch up
read -r -t 3600 line <&"${CAT[0]}"

# corpus: healthy
# what: an rsync daemon that nobody asks
# run: bash {file}
# needs: bash rsync

printf 'use chroot = no
[module]
path = /usr/share/doc
' >conf
: >up
exec rsync --daemon --no-detach --config=conf --address=127.0.0.1 --port=$((20000 + $$ % 20000))

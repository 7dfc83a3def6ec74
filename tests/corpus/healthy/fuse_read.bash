# corpus: healthy
# what: a file on a FUSE file system is read, and its daemon does not answer (here: it is stopped)
# outside: bash {file} outside
# needs: bindfs fusermount3 mountpoint cat
if [ "$1" = outside ]; then
    [ -w /dev/fuse ] || { echo "/dev/fuse may not be used"; exit 77; }
    mkdir real mnt
    echo data >real/file
    bindfs -f --no-allow-other real mnt &
    daemon=$!
    trap 'kill -CONT "$daemon"; fusermount3 -u mnt; exit' TERM
    until mountpoint -q mnt; do sleep 0.1; done
    kill -STOP "$daemon"
    touch ready
    sleep 3600 &
    wait
fi
touch up
cat mnt/file

# corpus: healthy
# what: a lock on a FUSE file system is held by whom only its daemon knows
# outside: bash {file} outside
# needs: bindfs flock fusermount3 mountpoint
if [ "$1" = outside ]; then
    [ -w /dev/fuse ] || { echo "/dev/fuse may not be used"; exit 77; }
    mkdir real mnt
    bindfs -f --no-allow-other --enable-lock-forwarding --multithreaded real mnt &
    trap 'exec 9>&-; fusermount3 -u mnt; exit' TERM
    until mountpoint -q mnt; do sleep 0.1; done
    exec 9>real/L
    flock 9
    touch ready
    wait
fi
exec 8>mnt/L
touch up
flock 8

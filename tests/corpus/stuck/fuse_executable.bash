# corpus: stuck
# what: its executable is on a FUSE file system whose daemon does not answer (here: it is stopped)
# outside: bash {file} outside
# needs: bindfs fusermount3 mountpoint perl
# says: writers are all in this job
if [ "$1" = outside ]; then
    [ -w /dev/fuse ] || { echo "/dev/fuse may not be used"; exit 77; }
    mkdir real mnt
    cp "$(command -v perl)" real/program
    bindfs -f --no-allow-other real mnt &
    daemon=$!
    trap 'kill -CONT "$daemon"; fusermount3 -u mnt; exit' TERM
    until mountpoint -q mnt; do sleep 0.1; done
    touch ready
    until [ -e up ]; do sleep 0.1; done
    kill -STOP "$daemon"
    sleep 3600 &
    wait
fi
exec mnt/program -e 'pipe R, W; open U, ">", "up"; close U; sysread R, $byte, 1'

# corpus: healthy
# what: a job below, with a wrapper of its own that watches over it, sleeps
# run: sh {file}
# outside: sh {file} outside
# A job below is none of the outer one's: the companion ends it.
if [ "$1" = outside ]; then
    trap 'kill "$(cat inner/inner.pid)"; exit' TERM
    touch ready
    sleep 3600 &
    wait
fi
"$SENTINEL_RUN" --dir inner --quiet inner -- sh -c 'touch "$CORPUS_DIR/up"; sleep 3600'

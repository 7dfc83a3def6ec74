#!/usr/bin/env bash
# Wait for DIR/NAME.status: inotifywait|poll DIR NAME
until [ -e "$2/$3.status" ]; do
    case $1 in
    inotifywait) inotifywait -qq -t 1 -e create,moved_to,close_write "$2" || true ;;
    poll) sleep 1 ;;
    esac
done

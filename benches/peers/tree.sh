#!/bin/sh
# A tree that is hard to end. It makes the file $1 when it stands. Each member
# is known by the seconds it sleeps; the first is this shell.
sleep 1001 &
setsid sleep 1002 &
(setsid sh -c 'sleep 1003 &' &)
(trap '' TERM && exec sleep 1004) &
sh -c 'kill -STOP $$; exec sleep 1005' &
: >"$1"
wait

<?php
// corpus: healthy
// what: a worker waits on a socket pair for what the handler of USR1 writes to it
// limit: PHP has a handler for USR1 of its own, from which the program's cannot be told
// run: php {file}
// needs: php

[$read, $write] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, fn () => fwrite($write, "."));
touch("up");
$reads = [$read];
$none = null;
stream_select($reads, $none, $none, null);

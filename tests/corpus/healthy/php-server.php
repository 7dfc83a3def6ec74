<?php
// corpus: healthy
// what: a server that nobody talks to
// run: php {file}
// needs: php

$server = stream_socket_server("tcp://127.0.0.1:0");
touch("up");
stream_socket_accept($server, 1000);

<?php
// corpus: healthy
// what: a script reads from a server outside that says nothing
// run: php {file}
// needs: php
// outside: php {file} outside

if (($argv[1] ?? "") === "outside") {
    $server = stream_socket_server("unix://socket");
    touch("ready");
    $client = stream_socket_accept($server, -1);
    fread($client, 1);
}
$client = stream_socket_client("unix://socket");
touch("up");
fread($client, 1);

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
    sleep(1000000);
}
$client = stream_socket_client("unix://socket");
stream_set_timeout($client, 1000000);
touch("up");
fread($client, 1);

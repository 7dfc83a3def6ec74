<?php
// corpus: stuck
// what: a program reads the output of a child that has filled its other pipe, for errors
// run: php {file}
// needs: php

$child = proc_open(
    ["sh", "-c", "yes >&2"],
    [1 => ["pipe", "w"], 2 => ["pipe", "w"]],
    $pipes
);
touch("up");
echo stream_get_contents($pipes[1]);

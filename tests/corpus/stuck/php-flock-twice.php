<?php
// corpus: stuck
// what: a script locks its session file, which its own other handle has locked
// run: php {file}
// needs: php
// says: file lock held by

$first = fopen("lock", "w");
$second = fopen("lock", "w");
flock($first, LOCK_EX);
touch("up");
flock($second, LOCK_EX);

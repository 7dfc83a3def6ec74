<?php
// corpus: healthy
// what: a script that sleeps
// run: php {file}
// needs: php

touch("up");
sleep(1000);

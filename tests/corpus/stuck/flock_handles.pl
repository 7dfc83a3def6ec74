# corpus: stuck
# what: a script locks one file through two handles
use strict;
use Fcntl ':flock';
open my $one, '>', 'L';
open my $two, '>', 'L';
flock $one, LOCK_EX;
open my $up, '>', 'up';
flock $two, LOCK_EX;

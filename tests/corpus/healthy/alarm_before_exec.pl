# corpus: healthy
# what: a Perl script sets an alarm that will end the program it becomes: an alarm outlives exec, unseen
# run: perl {file}
use strict;
alarm 3600;
open my $up, '>', 'up';
close $up;
exec 'sleep', '3600';

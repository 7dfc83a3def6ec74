# corpus: healthy
# what: a Perl script waits for a stopped worker and reports at USR1
use strict;
local $SIG{USR1} = sub { print "42 done\n" };
my $pid = fork;
if (!$pid) { kill 'STOP', $$; exit }
open my $up, '>', 'up';
waitpid $pid, 0;

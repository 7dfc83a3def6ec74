# corpus: healthy
# what: a Perl thread waits for a shared variable with a time limit
use strict;
use threads;
use threads::shared;
my $done : shared = 0;
$| = 1;
my $worker = threads->create(sub { lock $done; cond_timedwait($done, time + 3600) });
print "joins\n";
$worker->join;

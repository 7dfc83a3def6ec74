# corpus: stuck
# what: a Perl thread waits for a shared variable that nobody signals
use strict;
use threads;
use threads::shared;
my $done : shared = 0;
$| = 1;
my $worker = threads->create(sub { lock $done; cond_wait($done) until $done });
threads->yield;
print "joins\n";
$worker->join;

# corpus: stuck
# what: workers take from a Thread::Queue whose producer forgot to end it
use strict;
use threads;
use Thread::Queue;
$| = 1;
my $queue = Thread::Queue->new(1 .. 10);
my @workers = map { threads->create(sub { while (defined(my $item = $queue->dequeue)) {} }) } 1 .. 3;
print "joins\n";
$_->join for @workers;

# corpus: healthy
# what: Perl threads deadlock, but main has a handler for ALRM
use strict;
use threads;
use Thread::Queue;
$| = 1;
local $SIG{ALRM} = sub { die "too late\n" };
alarm 3600;
my $queue = Thread::Queue->new;
my $worker = threads->create(sub { $queue->dequeue });
print "joins\n";
$worker->join;

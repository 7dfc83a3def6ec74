# corpus: healthy
# what: a Perl script waits for its worker with a time limit; the worker waits for orders
use strict;
use IO::Select;
use Socket;
socketpair my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC;
if (!fork) { my $order = <$there>; exit }
open my $up, '>', 'up';
my @ready = IO::Select->new($here)->can_read(3600);

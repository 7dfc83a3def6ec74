# corpus: healthy
# what: a Perl server waits for a connection
use strict;
use IO::Socket::INET;
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');
open my $up, '>', 'up';
my $client = $server->accept;

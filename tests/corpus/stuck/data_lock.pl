# corpus: stuck
# what: a script makes sure that it runs once by locking its own file, and starts itself again
# run: sh -c "cp {file} script.pl && exec perl script.pl"
use strict;
use Fcntl ':flock';
open my $self, '<', $0;
open my $up, '>', 'up' if $ARGV[0];
flock $self, LOCK_EX;
system 'perl', $0, 'again' unless $ARGV[0];

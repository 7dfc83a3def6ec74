# corpus: healthy
# what: a Perl script bounds a read of its own pipe by alarm
use strict;
local $SIG{ALRM} = sub { die "too late\n" };
alarm 3600;
pipe my $reader, my $writer;
open my $up, '>', 'up';
my $line = <$reader>;

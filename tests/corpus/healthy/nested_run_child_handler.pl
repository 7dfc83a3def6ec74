# corpus: healthy
# what: a handler for the end of a child, which is another job, writes to the pipe that is read
# outside: perl {file} outside
use strict;
use warnings;

if (@ARGV) {
    # A job below is none of the outer one's: the companion ends it.
    local $SIG{TERM} = sub { open my $pid, '<', 'inner/inner.pid'; kill 'TERM', <$pid>; exit };
    open my $ready, '>', 'ready';
    close $ready;
    sleep 3600 while 1;
}
pipe my $read, my $write;
local $SIG{CHLD} = sub { syswrite $write, '.' };
my $script = 'touch "$CORPUS_DIR/up"; sleep 3600';
if (!fork) {
    exec $ENV{SENTINEL_RUN}, '--dir', 'inner', '--quiet', 'inner', '--', 'sh', '-c', $script;
}
until (sysread $read, my $byte, 1) { }

# corpus: healthy
# what: an alarm with its default action ends a program that waits for nothing else
# limit: an alarm without a handler is to be seen nowhere
# run: perl {file}
pipe my $read, my $write or die;
alarm 300;
open my $up, '>', 'up' or die;
close $up;
<$read>;

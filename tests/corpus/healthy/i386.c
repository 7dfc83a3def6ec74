// corpus: healthy
// what: a 32-bit program waits for I/O with a time limit; its call has the number of waitid in the 64-bit table
// cc: -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector -DFREESTANDING
static long call(long number, long a, long b, long c, long d, long e) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
    return result;
}

void _start(void) {
    static unsigned long context;
    static char event[32];
    static struct { long seconds, nanoseconds; } hour = {3600, 0};
    call(245, 8, (long)&context, 0, 0, 0);                                // io_setup
    call(6, call(5, (long)"up", 0100 | 1, 0600, 0, 0), 0, 0, 0, 0);       // close(open("up"))
    call(247, context, 1, 1, (long)event, (long)&hour);                   // io_getevents
    call(1, 1, 0, 0, 0, 0);                                               // exit
}

//! The numbers of the system calls that have a name here (`<asm/unistd.h>`).

/// `SYS_name` and `"name"` side by side, for every name.
macro_rules! names {
    ($($name:ident $constant:ident),* $(,)?) => {
        &[$((libc::$constant, stringify!($name))),*]
    };
}

const EVERYWHERE: &[(libc::c_long, &str)] = names![
    nanosleep SYS_nanosleep,
    clock_nanosleep SYS_clock_nanosleep,
    restart_syscall SYS_restart_syscall,
    rt_sigtimedwait SYS_rt_sigtimedwait,
    rt_sigsuspend SYS_rt_sigsuspend,
    wait4 SYS_wait4,
    waitid SYS_waitid,
    futex SYS_futex,
    read SYS_read,
    readv SYS_readv,
    write SYS_write,
    writev SYS_writev,
    recvfrom SYS_recvfrom,
    recvmsg SYS_recvmsg,
    recvmmsg SYS_recvmmsg,
    sendto SYS_sendto,
    sendmsg SYS_sendmsg,
    accept SYS_accept,
    accept4 SYS_accept4,
    connect SYS_connect,
    sendfile SYS_sendfile,
    splice SYS_splice,
    ppoll SYS_ppoll,
    pselect6 SYS_pselect6,
    epoll_pwait SYS_epoll_pwait,
    epoll_pwait2 SYS_epoll_pwait2,
    flock SYS_flock,
    fcntl SYS_fcntl,
    openat SYS_openat,
    ioctl SYS_ioctl,
    fsync SYS_fsync,
    fdatasync SYS_fdatasync,
    msgrcv SYS_msgrcv,
    msgsnd SYS_msgsnd,
    semop SYS_semop,
    semtimedop SYS_semtimedop,
    mq_timedreceive SYS_mq_timedreceive,
    mq_timedsend SYS_mq_timedsend,
    io_uring_enter SYS_io_uring_enter,
    io_getevents SYS_io_getevents,
    copy_file_range SYS_copy_file_range,
];

#[cfg(target_arch = "x86_64")]
const HERE: &[(libc::c_long, &str)] = names![
    pause SYS_pause,
    poll SYS_poll,
    select SYS_select,
    epoll_wait SYS_epoll_wait,
    open SYS_open,
    vfork SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const HERE: &[(libc::c_long, &str)] = &[];

/// The name of a system call, or its number in words.
pub fn name(number: libc::c_long) -> String {
    let known = EVERYWHERE.iter().chain(HERE).find(|(known, _)| *known == number);
    known.map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned())
}

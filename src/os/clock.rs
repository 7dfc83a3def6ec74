//! Clocks, and which machine and boot they belong to.

use nix::time::{ClockId, clock_gettime};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `CLOCK_MONOTONIC` of the machine: stops in a suspend, is never stepped, and reads the same in
/// every time namespace (`time_namespaces(7)` shifts it; the shift is taken out again).
#[must_use]
pub fn monotonic() -> Duration {
    let raw = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    shifted_back(raw, TIME_NAMESPACE.monotonic_s)
}

/// The wall clock, nanoseconds since the epoch.
#[must_use]
pub fn realtime_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A start time of `/proc/PID/stat` as this time namespace shows it, in ticks of the machine's own
/// boot clock.
#[must_use]
pub fn machine_ticks(shown: u64) -> u64 {
    let shift = TIME_NAMESPACE.boottime_s.saturating_mul(ticks_per_second());
    u64::try_from(i64::try_from(shown).unwrap_or(i64::MAX).saturating_sub(shift)).unwrap_or(0)
}

/// Ticks in a second, of the times in `/proc/PID/stat`.
#[must_use]
pub fn ticks_per_second() -> i64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100)
}

/// Seconds since boot, suspend included, on the clock of [`machine_ticks`].
#[must_use]
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    let raw = clock_gettime(CLOCK).map_or(Duration::ZERO, Duration::from);
    shifted_back(raw, TIME_NAMESPACE.boottime_s)
}

fn shifted_back(raw: Duration, shift_s: i64) -> Duration {
    let shift = Duration::from_secs(shift_s.unsigned_abs());
    if shift_s > 0 { raw.saturating_sub(shift) } else { raw.saturating_add(shift) }
}

struct Shift {
    monotonic_s: i64,
    boottime_s: i64,
}

static TIME_NAMESPACE: LazyLock<Shift> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    let of = |clock: &str| {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(clock));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Shift { monotonic_s: of("monotonic"), boottime_s: of("boottime") }
});

/// Identifies this boot of this machine; empty if the platform does not say.
#[must_use]
pub fn boot_id() -> &'static str {
    static BOOT: LazyLock<String> = LazyLock::new(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        text.unwrap_or_default().trim().to_owned()
    });
    &BOOT
}

/// The name of this host.
#[must_use]
pub fn host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Inode of this process's PID namespace; 0 where there is none.
#[must_use]
pub fn pid_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    static NAMESPACE: LazyLock<u64> =
        LazyLock::new(|| std::fs::metadata("/proc/self/ns/pid").map_or(0, |ns| ns.ino()));
    *NAMESPACE
}

/// Sleeps. For loops that wait for what no descriptor can tell; each has a bound of its own.
pub fn pause(duration: Duration) {
    let timeout = rustix::event::Timespec::try_from(duration).ok();
    // An early return (EINTR) only makes the caller look sooner.
    let _ = rustix::event::poll(&mut [], timeout.as_ref());
}

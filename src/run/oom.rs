//! What the kernel's OOM killer had to do with a run's end, in words.

use crate::os::oom::{Group, Kills, Victim};

/// How the command ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This PID died of a KILL that we did not send.
    Killed(i32),
    /// As a shell ends when its last child died of a KILL: 137.
    LikeKilled,
    /// Otherwise.
    Other,
}

/// What is to be added to the reason; nothing where nothing tells of an OOM kill. `run` is the name
/// of the run's own cgroup.
#[must_use]
pub fn words(end: End, run: Option<&str>, kills: &Kills) -> String {
    let named = kills.victims.as_deref();
    let of = |group: &str| -> Vec<&Victim> {
        let is_below = |victim: &&Victim| {
            let rest = victim.group.as_deref().and_then(|name| name.strip_prefix(group));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        named.unwrap_or_default().iter().filter(is_below).collect()
    };
    // The root has all who are nowhere else: that is as good as the whole machine.
    let shared = kills.group.as_ref().filter(|(_, group)| group.name != "/");
    let place = shared.map(|(_, group)| place(group)).unwrap_or_default();
    let of_shared = shared.map(|(n, group)| newest(of(&group.name), *n)).unwrap_or_default();

    if let End::Killed(pid) = end {
        let is_named = named.is_some_and(|victims| victims.iter().any(|v| v.pid == pid));
        let only_counted = shared.is_some() && of_shared.is_empty();
        if is_named || kills.run > 0 || only_counted {
            return format!(": out of memory (the kernel's OOM killer{place})");
        }
    }
    if kills.run > 0 {
        let victims = names(&run.map(of).unwrap_or_default());
        return format!("; the kernel's OOM killer ended {victims} of it");
    }
    if shared.is_some() {
        let victims = names(&of_shared);
        return format!("; meanwhile the kernel's OOM killer ended {victims}{place}");
    }
    if kills.machine > 0 && end != End::Other {
        let victims = names(&newest(named.unwrap_or_default().iter().collect(), kills.machine));
        return format!(
            "; possibly out of memory: meanwhile the kernel's OOM killer ended {victims} on this machine"
        );
    }
    String::new()
}

/// The last so many: the log may go back to a little before the run.
fn newest(victims: Vec<&Victim>, many: u64) -> Vec<&Victim> {
    let older = victims.len().saturating_sub(usize::try_from(many).unwrap_or(usize::MAX));
    victims.into_iter().skip(older).collect()
}

fn place(group: &Group) -> String {
    let limit = group.limit.map(|limit| match limit >> 20 {
        0 => format!(", limit {} KiB", limit >> 10),
        mib => format!(", limit {mib} MiB"),
    });
    format!(", memory cgroup {}{}", group.name, limit.unwrap_or_default())
}

/// The first few by name.
fn names(victims: &[&Victim]) -> String {
    const SHOWN: usize = 3;
    let shown = victims.iter().take(SHOWN).map(|victim| format!("{}[{}]", victim.comm, victim.pid));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match victims.len().saturating_sub(SHOWN) {
        _ if victims.is_empty() => "a process".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said() {
        let victim = |pid, group: &str| Victim {
            pid,
            comm: "tail".into(),
            group: (!group.is_empty()).then(|| group.to_owned()),
        };
        let shared = |n, name: &str, limit| Some((n, Group { name: name.into(), limit }));
        let none = Kills::default();
        let log = |victims: &[Victim]| Some(victims.to_vec());
        let one_of = |group| Kills { group, machine: 1, ..none.clone() };
        let table = [
            // Nothing tells of an OOM kill, or only of other people's.
            (End::Killed(7), none.clone(), ""),
            (End::Other, none.clone(), ""),
            (End::Killed(7), Kills { victims: log(&[victim(8, "/b")]), ..none.clone() }, ""),
            (End::Other, Kills { machine: 3, ..none.clone() }, ""),
            // The command itself.
            (
                End::Killed(7),
                Kills { victims: log(&[victim(7, "/b")]), ..none.clone() },
                ": out of memory (the kernel's OOM killer)",
            ),
            (
                End::Killed(7),
                Kills { run: 1, ..none.clone() },
                ": out of memory (the kernel's OOM killer)",
            ),
            (
                End::Killed(7),
                one_of(shared(1, "/x", Some(64 << 20))),
                ": out of memory (the kernel's OOM killer, memory cgroup /x, limit 64 MiB)",
            ),
            (
                End::Killed(7),
                one_of(shared(1, "/x", None)),
                ": out of memory (the kernel's OOM killer, memory cgroup /x)",
            ),
            // Another one, which the log tells; the older record is of another run.
            (
                End::Killed(7),
                Kills {
                    victims: log(&[victim(5, "/x"), victim(8, "/x/y"), victim(9, "/xy")]),
                    ..one_of(shared(1, "/x", Some(512 << 10)))
                },
                "; meanwhile the kernel's OOM killer ended tail[8], memory cgroup /x, limit 512 KiB",
            ),
            (
                End::Other,
                one_of(shared(1, "/x", None)),
                "; meanwhile the kernel's OOM killer ended a process, memory cgroup /x",
            ),
            (
                End::Other,
                Kills {
                    run: 5,
                    victims: log(&[1, 2, 3, 4, 5].map(|pid| victim(pid, "/base/run"))),
                    ..none.clone()
                },
                "; the kernel's OOM killer ended tail[1], tail[2], tail[3] and 2 more of it",
            ),
            // Only the machine's count: possible, not certain.
            (
                End::Killed(7),
                one_of(shared(1, "/", None)),
                "; possibly out of memory: meanwhile the kernel's OOM killer ended a process on \
                    this machine",
            ),
            (
                End::LikeKilled,
                Kills { machine: 1, victims: log(&[victim(8, ""), victim(9, "")]), ..none.clone() },
                "; possibly out of memory: meanwhile the kernel's OOM killer ended tail[9] on this \
                    machine",
            ),
        ];
        for (end, kills, expected) in table {
            assert_eq!(words(end, Some("/base/run"), &kills), expected, "{end:?} {kills:?}");
        }
    }
}

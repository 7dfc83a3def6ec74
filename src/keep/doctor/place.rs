//! The directory of the registry: whose it is, and whether its file system does what is built on
//! it.

use super::{Finding, LIMIT};
use crate::os::ask::plain;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::trial::Trial;
use crate::os::volume::{self, Volume};
use std::io;
use std::path::{Path, PathBuf};

/// Below this, bytes, the next log may fill the disk.
const LEAST: u64 = 64 << 20;

/// What is at the far end of a wire.
const REMOTE: [&str; 17] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smbfs",
    "9p",
    "lustre",
    "ceph",
    "afs",
    "coda",
    "gpfs",
    "beegfs",
    "webdav",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.glusterfs",
];

/// How to have it elsewhere.
const ELSEWHERE: &str = "keep the registry on a local disk: --registry FILE or $SENTINEL_REGISTRY";

fn kind_line(volume: &Volume) -> Finding {
    let (check, kind) = ("file-system", volume.kind.as_str());
    if REMOTE.contains(&kind) {
        let says = format!(
            "{kind}, on a network: changes made elsewhere are not told, and locks hold as far as its server has them"
        );
        return Finding::bad(check, says, ELSEWHERE);
    }
    match kind {
        "tmpfs" | "ramfs" => Finding::bad(
            check,
            format!("{kind}, in memory: what is registered is forgotten at a reboot"),
            ELSEWHERE,
        ),
        "ecryptfs" => Finding::bad(
            check,
            format!("{kind}: gone from sight once its user has logged out"),
            ELSEWHERE,
        ),
        "overlay" => Finding::good(check, "overlay: in a container it goes with the container"),
        kind if kind.starts_with("fuse") => {
            let says = format!(
                "{kind}: what is behind may be on a network; changes made there are not told, and its server may keep locks to this machine"
            );
            Finding::unknown(check, says, ELSEWHERE)
        }
        kind => Finding::good(check, kind),
    }
}

fn space_line(volume: &Volume) -> Finding {
    let check = "space";
    let mib = volume.free >> 20;
    let says = format!("{mib} MiB free of {} MiB", volume.size >> 20);
    if volume.size > 0 && (volume.free < LEAST || volume.free < volume.size / 100) {
        return Finding::bad(
            check,
            format!("only {says}"),
            "make room, or give each process a smaller --max-log",
        );
    }
    // Some file systems have no number of files to run out of.
    if volume.files > 0 && volume.free_files < volume.files / 100 {
        let says = format!("room for only {} more files of {}", volume.free_files, volume.files);
        return Finding::bad(check, says, "remove files that nobody needs (`df -i` tells where)");
    }
    Finding::good(check, says)
}

/// What of the directory exists: itself, or the nearest above it.
fn nearest(at: &Path) -> io::Result<PathBuf> {
    let at = std::path::absolute(at)?;
    let there = at.ancestors().find(|path| std::fs::symlink_metadata(path).is_ok());
    there.map(Path::to_owned).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn directory_line(at: &Path, there: &Path, trial: Result<&Trial, &io::Error>) -> Finding {
    let check = "directory";
    let refused = match MonitorDir::open(at) {
        Ok(_) => None,
        Err(DirError::Refused { path, why }) => Some(format!("{} {why}", path.display())),
        Err(error) => Some(error.to_string()),
    };
    if let Some(says) = refused {
        let todo = "make it a directory of your own (chmod 700), or choose another: --registry FILE or $SENTINEL_REGISTRY";
        return Finding::bad(check, says, todo);
    }
    match trial {
        Ok(_) if there == at => Finding::good(check, format!("{} is ours", at.display())),
        Ok(_) => {
            Finding::good(check, format!("{} can be made in {}", at.display(), there.display()))
        }
        Err(error) => Finding::bad(
            check,
            format!("nothing can be made in {}: {}", there.display(), plain(error)),
            "have it made writable, or choose another: --registry FILE or $SENTINEL_REGISTRY",
        ),
    }
}

/// What a trial of something that either works or not comes to.
fn tried(
    check: &'static str,
    tried: Result<bool, String>,
    [works, fails]: [&str; 2],
    todo: &str,
) -> Finding {
    match tried {
        Ok(true) => Finding::good(check, works),
        Ok(false) => Finding::bad(check, fails, todo),
        Err(why) => Finding::bad(check, format!("{fails}: {why}"), todo),
    }
}

fn trials(trial: &Trial) -> Vec<Finding> {
    // A disk that is full says nothing about what it can do.
    if let Err(error) = trial.has_room() {
        let says = format!("nothing can be written here: {error}");
        return vec![Finding::bad("writing", says, "make room, or keep the registry elsewhere")];
    }
    let words = |error: io::Error| plain(&error);
    let locks = ["a lock keeps others out (flock)", "locks keep nobody out"];
    let rename = ["a file is replaced whole by a rename", "files cannot be replaced whole"];
    let sync = [
        "the disk takes what it is given (fdatasync)",
        "nothing can be sent to the disk (fdatasync)",
    ];
    let events =
        ["a change is told at once (inotify)", "changes are not told, and seen at the next look"];
    let told = trial.change_is_told(LIMIT).map_err(words);
    let inotify = format!("see the lines inotify and descriptors; or {ELSEWHERE}");
    vec![
        tried("locks", trial.locks_exclude().map_err(words), locks, ELSEWHERE),
        tried("rename", trial.rename_replaces().map_err(words), rename, ELSEWHERE),
        tried("sync", trial.syncs().map(|()| true).map_err(words), sync, ELSEWHERE),
        tried("events", told, events, &inotify),
    ]
}

/// Can the registry live in this directory?
pub fn examine(at: &Path) -> Vec<Finding> {
    let at = std::path::absolute(at).unwrap_or_else(|_| at.to_owned());
    let at: PathBuf = at.components().collect();
    let found = nearest(&at).and_then(|there| Ok((volume::of(&there)?, there)));
    let (volume, there) = match found {
        Ok(found) => found,
        Err(error) => {
            let says = format!("{}: {}", at.display(), plain(&error));
            return vec![Finding::bad("directory", says, ELSEWHERE)];
        }
    };
    let mut findings = vec![kind_line(&volume), space_line(&volume)];
    if volume.read_only {
        let says = format!("{} is on a file system mounted read-only", there.display());
        findings.insert(0, Finding::bad("directory", says, ELSEWHERE));
        return findings;
    }
    let trial = Trial::begin(&there);
    findings.insert(0, directory_line(&at, &there, trial.as_ref()));
    findings.extend(trial.iter().flat_map(trials));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(kind: &str) -> Volume {
        let (free, size) = (1 << 40, 1 << 41);
        Volume { kind: kind.into(), read_only: false, free, size, free_files: 0, files: 0 }
    }

    #[test]
    fn kinds() {
        for (kind, good) in [
            ("ext4", Some(true)),
            ("xfs", Some(true)),
            ("0x1234", Some(true)),
            ("overlay", Some(true)),
            ("nfs", Some(false)),
            ("smb2", Some(false)),
            ("fuse.sshfs", Some(false)),
            ("tmpfs", Some(false)),
            ("ecryptfs", Some(false)),
            ("fuse", None),
            ("fuse.bindfs", None),
            ("fuseblk", None),
        ] {
            let found = kind_line(&volume(kind));
            assert_eq!(found.good, good, "{found:?}");
            assert!(found.says.starts_with(kind), "{found:?}");
        }
    }

    #[test]
    fn room() {
        let mib = 1 << 20;
        // bytes free, of all, files free, of all
        for (free, size, free_files, files, good) in [
            (64 * mib, 100 * mib, 0, 0, true),
            (64 * mib - 1, 100 * mib, 0, 0, false),
            (100 * mib, 10_000 * mib, 5, 100, true),
            (99 * mib, 10_000 * mib, 5, 100, false),
            (100 * mib, 200 * mib, 9, 1000, false),
            (100 * mib, 200 * mib, 10, 1000, true),
            (0, 0, 0, 0, true),
        ] {
            let seen = Volume { free, size, free_files, files, ..volume("ext4") };
            let found = space_line(&seen);
            assert_eq!(found.good, Some(good), "{seen:?} {found:?}");
        }
    }
}

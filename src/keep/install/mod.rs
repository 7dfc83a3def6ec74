//! The net below the keeper: one `healthcheck` every few minutes, by cron or by a timer of the
//! user's systemd. It needs nothing to live, and is there again after a reboot.

pub mod cron;
pub mod systemd;

use crate::protocol::text::checksum;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `crontab` and `systemctl` answer within this, or never.
const LIMIT: Duration = Duration::from_secs(30);
/// What of the caller's environment goes along: cron and systemd have paths of their own.
pub const CARRIED: [&str; 2] = ["PATH", "HOME"];

/// What is to be run, and how often.
#[derive(Clone, Debug)]
pub struct Order {
    /// `sentinel-keep`, absolute.
    pub program: PathBuf,
    /// The registry, absolute.
    pub registry: PathBuf,
    /// Whether it is the registry that is used where none is named.
    pub standard: bool,
    /// Run with each alert.
    pub alert_cmd: Option<String>,
    /// See `--seed-flags`.
    pub seed_flags: Option<PathBuf>,
    /// Time between two looks.
    pub every: Duration,
    /// See [`CARRIED`].
    pub environment: Vec<(String, OsString)>,
}

impl Order {
    /// What follows the program on its command line.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["--registry".into(), self.registry.clone().into()];
        if let Some(command) = &self.alert_cmd {
            all.extend(["--alert-cmd".into(), command.into()]);
        }
        match &self.seed_flags {
            Some(dir) if dir == Path::new("/tmp") => all.push("--seed-flags".into()),
            Some(dir) => {
                all.push([OsStr::new("--seed-flags="), dir.as_os_str()].into_iter().collect());
            }
            None => {}
        }
        all.push("healthcheck".into());
        all
    }
}

/// A name by which a registry is told from others, and by which people tell it: where it is, and a
/// number made of its whole path.
#[must_use]
pub fn short_name(registry: &Path) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let parent = registry.parent().and_then(Path::file_name).unwrap_or_default();
    let name: String = parent.to_string_lossy().chars().take(40).map(letter).collect();
    let name = if name.trim_matches('-').is_empty() { "registry" } else { name.trim_matches('-') };
    format!("{name}-{:08x}", checksum(registry.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        let name = |path: &str| short_name(Path::new(path));
        assert_eq!(name("/home/me/my proj/r.json"), "my-proj-451ca159");
        assert_ne!(name("/home/me/my proj/r.json"), name("/home/you/my proj/r.json"));
        assert!(name("/r.json").starts_with("registry-"), "{}", name("/r.json"));
    }
}

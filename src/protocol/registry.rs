//! The registry: what is to be kept alive, in the form of seed 000, an object by name.
//!
//! It is written by people, too. So it is read entry by entry: one that cannot be understood is an
//! error that names it and keeps no other from being understood; and it is written back with every
//! entry that was not touched as it was, unknown keys and order included.

use super::evidence::BeatOn;
use super::name::JobName;
use super::time::human;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Restarts allowed unless said otherwise (seed 000).
pub const MAX_RESTARTS: u32 = 5;
/// The longest backoff unless said otherwise (seed 000).
pub const RESTART_COOLDOWN: Seconds = Seconds(30.0);
/// Failed health probes in a row that make a process unhealthy, unless said otherwise (seed 003).
pub const FAILURE_THRESHOLD: u32 = 3;
/// Time between TERM and KILL (seed 003, `grace_period`).
pub const GRACE: Seconds = Seconds(10.0);
/// How often progress and health are asked for (seed 003).
pub const CHECK_INTERVAL: Seconds = Seconds(60.0);
/// So long without evidence is hung (seed 003).
pub const PROGRESS_TIMEOUT: Seconds = Seconds(300.0);
/// So much of a log is kept, bytes: what runs for months would fill the disk.
pub const MAX_LOG: u64 = 64 << 20;

/// A length of time in a file: a number of seconds, never negative, whole ones without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Seconds(pub f64);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        super::time::seconds(seconds.0).unwrap_or_default()
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64())
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole")]
        if self.0.fract() == 0.0 && self.0 >= 0.0 && self.0 < 1e15 {
            return to.serialize_u64(self.0 as u64);
        }
        to.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        if number >= 0.0 && number.is_finite() {
            return Ok(Self(number));
        }
        Err(D::Error::custom(format!("got {number}, expected a number of 0 or more")))
    }
}

/// The most time between two looks for evidence.
const BEATS: Duration = Duration::from_secs(10);

/// How often a process is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Time between two looks for evidence.
    pub interval: Duration,
    /// So long without any is hung.
    pub stale: Duration,
    /// Time between two questions to a probe.
    pub probes: Duration,
}

/// How the time before a restart grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// 1 s, 2 s, 4 s, … up to the cooldown.
    #[default]
    Exponential,
    /// Always the cooldown.
    Fixed,
}

/// One process to be kept: an entry of the registry. Options that were not given are left out of
/// the file, so that a default that gets better does so for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The command: a text for `sh -c`, or, with `exec`, words quoted as for a shell.
    pub command: String,
    /// How long it is expected to run, minutes; 0: for ever.
    #[serde(default = "zero")]
    pub duration_min: Seconds,
    /// Whether it is started again after a death.
    #[serde(default = "yes")]
    pub auto_restart: bool,
    /// So many restarts in ten minutes, or in a row without a stable run, are the most.
    #[serde(default = "max_restarts")]
    pub max_restarts: u32,
    /// The longest backoff, seconds.
    #[serde(default = "restart_cooldown")]
    pub restart_cooldown: Seconds,
    /// The command's words are executed without a shell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exec: bool,
    /// Any exit 0 is normal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub completes: bool,
    /// How the time before a restart grows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backoff: Backoff,
    /// See [`FAILURE_THRESHOLD`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<u32>,
    /// See [`GRACE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Seconds>,
    /// See [`CHECK_INTERVAL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_interval: Option<Seconds>,
    /// See [`PROGRESS_TIMEOUT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_timeout: Option<Seconds>,
    /// Ended above so much memory, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<u64>,
    /// Ended above so much CPU; 100 is one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu: Option<f64>,
    /// See [`MAX_LOG`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_log: Option<u64>,
    /// What counts as evidence, as `--beat-on` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beat_on: Option<String>,
    /// Its output changes with the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_cmd: Option<String>,
    /// Files that change with the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_file: Option<String>,
    /// It succeeds while the process is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_cmd: Option<String>,
    /// It answers while the process is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_http: Option<String>,
    /// How often probes are asked, seconds, if not each `check_interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_interval: Option<Seconds>,
    /// Started only once these run, and are healthy if they have a probe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobName>,
    /// Run before each restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_restart: Option<String>,
    /// It runs in a tmux session of its name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tmux: bool,
    /// Its working directory; the caller's if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// PATH, HOME, LANG and `VIRTUAL_ENV` as they were when it was registered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recorded_env: BTreeMap<String, String>,
    /// A file of further variables, read at each start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<String>,
    /// Further variables, which win over those of the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn zero() -> Seconds {
    Seconds(0.0)
}

fn max_restarts() -> u32 {
    MAX_RESTARTS
}

fn restart_cooldown() -> Seconds {
    RESTART_COOLDOWN
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Process {
    /// A process with nothing said but its command.
    #[must_use]
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            duration_min: zero(),
            auto_restart: true,
            max_restarts: MAX_RESTARTS,
            restart_cooldown: RESTART_COOLDOWN,
            exec: false,
            completes: false,
            backoff: Backoff::Exponential,
            failure_threshold: None,
            grace: None,
            check_interval: None,
            progress_timeout: None,
            max_memory: None,
            max_cpu: None,
            max_log: None,
            beat_on: None,
            progress_cmd: None,
            progress_file: None,
            health_cmd: None,
            health_http: None,
            progress_interval: None,
            after: Vec::new(),
            pre_restart: None,
            tmux: false,
            cwd: None,
            recorded_env: BTreeMap::new(),
            env_file: None,
            env: BTreeMap::new(),
        }
    }

    /// How long it is expected to run; `None`: for ever.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let duration = super::time::seconds(self.duration_min.0 * 60.0).unwrap_or_default();
        Some(duration).filter(|duration| !duration.is_zero())
    }

    /// The words to execute.
    ///
    /// # Errors
    /// If the quotes of an `exec` command do not match, or there is no word.
    pub fn argv(&self) -> Result<Vec<String>, String> {
        if self.command.trim().is_empty() {
            return Err("command: it is empty; expected a command".to_owned());
        }
        if !self.exec {
            return Ok(["sh", "-c", &self.command].map(str::to_owned).to_vec());
        }
        shell_words::split(&self.command)
            .map_err(|_| format!("command: got {:?}; expected each quote closed", self.command))
    }

    /// Whether somebody is asked for its progress or health.
    #[must_use]
    pub fn is_probed(&self) -> bool {
        self.progress_cmd.is_some() || self.progress_file.is_some() || self.has_health()
    }

    /// Whether somebody is asked for its health.
    #[must_use]
    pub fn has_health(&self) -> bool {
        self.health_cmd.is_some() || self.health_http.is_some()
    }

    /// Whether one of its probes is a command.
    #[must_use]
    pub fn asks_by_command(&self) -> bool {
        self.progress_cmd.is_some() || self.health_cmd.is_some()
    }

    /// How often it is looked at, and when it is stale. What is not given follows from what is.
    ///
    /// # Errors
    /// If there is no time for two checks before it is stale.
    pub fn rhythm(&self) -> Result<Rhythm, String> {
        let of = |seconds: Option<Seconds>| seconds.map(Duration::from);
        let stale = of(self.progress_timeout).unwrap_or_else(|| {
            let checks = of(self.check_interval).unwrap_or_default().saturating_mul(3);
            Duration::from(PROGRESS_TIMEOUT).max(checks)
        });
        let check = of(self.check_interval)
            .unwrap_or_else(|| Duration::from(CHECK_INTERVAL).min(stale / 3));
        let probes = of(self.progress_interval).unwrap_or(check);
        for (name, interval) in [("check_interval", check), ("progress_interval", probes)] {
            if stale <= interval.saturating_mul(2) {
                return Err(format!(
                    "progress_timeout: got {}, expected more than twice the {name} ({})",
                    human(stale),
                    human(interval)
                ));
            }
        }
        let interval = BEATS.min(check).min(stale / 6);
        Ok(Rhythm { interval, stale, probes })
    }

    /// What makes no sense although each value is of its kind.
    fn examine(&self) -> Result<(), String> {
        self.argv()?;
        self.rhythm()?;
        if let Some(list) = &self.beat_on {
            let list: BeatOn = list.parse().map_err(|error| format!("beat_on: {error}"))?;
            let progress = self.progress_cmd.is_some() || self.progress_file.is_some();
            list.with_probes(progress, self.has_health()).map_err(|error| error.to_string())?;
        }
        let limit = |name: &str, zero: bool| {
            if zero { Err(format!("{name}: got 0, expected more")) } else { Ok(()) }
        };
        limit("max_memory", self.max_memory == Some(0))?;
        limit("max_log", self.max_log == Some(0))?;
        limit("max_cpu", self.max_cpu.is_some_and(|cpu| cpu <= 0.0))?;
        limit("failure_threshold", self.failure_threshold == Some(0))?;
        limit("check_interval", self.check_interval == Some(Seconds(0.0)))?;
        limit("progress_timeout", self.progress_timeout == Some(Seconds(0.0)))?;
        limit("progress_interval", self.progress_interval == Some(Seconds(0.0)))?;
        let bad = |key: &&String| key.is_empty() || key.contains(['=', '\0']);
        if let Some(key) = self.env.keys().chain(self.recorded_env.keys()).find(bad) {
            return Err(format!("env: got the name {key:?}, expected one without '='"));
        }
        if let Some((key, _)) = object(self).iter().find(|(_, value)| holds_nul(value)) {
            return Err(format!("{key}: it holds a NUL character, which no program can be given"));
        }
        Ok(())
    }
}

/// An entry that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {name:?}: {why}")]
pub struct BadEntry {
    /// Its name, as written.
    pub name: String,
    /// What was got, and what was expected.
    pub why: String,
}

/// The file cannot be understood as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no registry: {0}; expected a JSON object of processes by name")]
pub struct BadRegistry(String);

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    raw: Value,
    process: Result<(JobName, Process), BadEntry>,
}

/// All entries, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Reads a registry. A file that is empty has no entries.
    ///
    /// # Errors
    /// If it is no JSON object, or a name is there twice.
    pub fn unpack(bytes: &[u8]) -> Result<Self, BadRegistry> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let Pairs(pairs) =
            serde_json::from_slice(bytes).map_err(|error| BadRegistry(error.to_string()))?;
        let mut entries: Vec<Entry> = Vec::new();
        for (name, raw) in pairs {
            if entries.iter().any(|entry| entry.name == name) {
                return Err(BadRegistry(format!("{name:?} is there twice")));
            }
            entries.push(Entry { process: understand(&name, &raw), name, raw });
        }
        Ok(Self { entries })
    }

    /// The bytes of the file.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let pairs: Map<String, Value> =
            self.entries.iter().map(|entry| (entry.name.clone(), entry.raw.clone())).collect();
        let mut bytes = serde_json::to_vec_pretty(&pairs).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// What was understood.
    pub fn processes(&self) -> impl Iterator<Item = (&JobName, &Process)> {
        self.entries.iter().filter_map(|entry| entry.process.as_ref().ok()).map(|(n, p)| (n, p))
    }

    /// What was not.
    pub fn bad(&self) -> impl Iterator<Item = &BadEntry> {
        self.entries.iter().filter_map(|entry| entry.process.as_ref().err())
    }

    /// One process; `None` if there is no entry of this name.
    ///
    /// # Errors
    /// If its entry cannot be understood.
    pub fn get(&self, name: &JobName) -> Result<Option<&Process>, &BadEntry> {
        match self.entries.iter().find(|entry| entry.name == name.as_str()) {
            None => Ok(None),
            Some(entry) => entry.process.as_ref().map(|(_, process)| Some(process)),
        }
    }

    /// Puts a process in the place of the entry with its name, or at the end. Keys of that entry
    /// that are unknown here are kept.
    pub fn set(&mut self, name: &JobName, process: Process) {
        let mut raw = object(&process);
        let at = self.entries.iter().position(|entry| entry.name == name.as_str());
        if let Some(old) = at.and_then(|at| self.entries[at].raw.as_object()) {
            let known = keys();
            let unknown = old.iter().filter(|(key, _)| !known.contains(key));
            raw.extend(unknown.map(|(key, value)| (key.clone(), value.clone())));
        }
        let raw = Value::Object(raw);
        let entry = Entry { name: name.to_string(), raw, process: Ok((name.clone(), process)) };
        match at {
            Some(at) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes an entry out, be it understood or not; false if there is none.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.name != name);
        self.entries.len() < before
    }
}

fn understand(name: &str, raw: &Value) -> Result<(JobName, Process), BadEntry> {
    let bad = |why: String| BadEntry { name: super::clip(name, 120), why };
    let job: JobName = name.parse().map_err(|error| bad(format!("{error}")))?;
    if !raw.is_object() {
        let got = super::clip(&raw.to_string(), 60);
        return Err(bad(format!("got {got}, expected an object with at least a command")));
    }
    let process: Process = serde_path_to_error::deserialize(raw).map_err(|error| {
        let (path, inner) = (error.path().to_string(), in_plain_words(&error.inner().to_string()));
        bad(if path == "." { inner } else { format!("{path}: {inner}") })
    })?;
    process.examine().map_err(bad)?;
    if process.after.contains(&job) {
        return Err(bad(format!("after: {job} cannot be started after itself")));
    }
    Ok((job, process))
}

/// What serde says, for who wrote the file.
fn in_plain_words(text: &str) -> String {
    let words = [
        ("invalid type: ", "got the "),
        ("invalid value: ", "got the "),
        ("floating point", "number"),
        ("expected u32", "expected a whole number of 0 or more"),
        ("expected u64", "expected a whole number of 0 or more"),
        ("expected f64", "expected a number"),
        ("expected a map", "expected an object"),
        ("expected a sequence", "expected an array"),
        ("missing field `command`", "it has no command; expected one, for sh -c"),
    ];
    words.iter().fold(text.to_owned(), |text, (serde, plain)| text.replace(serde, plain))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(all) => all.iter().any(holds_nul),
        Value::Object(all) => all.values().any(holds_nul),
        _ => false,
    }
}

fn object(process: &Process) -> Map<String, Value> {
    match serde_json::to_value(process) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Every key an entry can have.
fn keys() -> Vec<String> {
    let name: Option<JobName> = "x".parse().ok();
    let some = || Some(String::new());
    let full = Process {
        exec: true,
        completes: true,
        backoff: Backoff::Fixed,
        failure_threshold: Some(1),
        grace: Some(GRACE),
        check_interval: Some(GRACE),
        progress_timeout: Some(GRACE),
        max_memory: Some(1),
        max_cpu: Some(1.0),
        max_log: Some(1),
        beat_on: some(),
        progress_cmd: some(),
        progress_file: some(),
        health_cmd: some(),
        health_http: some(),
        progress_interval: Some(GRACE),
        after: name.into_iter().collect(),
        pre_restart: some(),
        tmux: true,
        cwd: some(),
        recorded_env: [(String::new(), String::new())].into(),
        env_file: some(),
        env: [(String::new(), String::new())].into(),
        ..Process::new("")
    };
    object(&full).into_iter().map(|(key, _)| key).collect()
}

/// The pairs of a JSON object as they stand, a name that comes twice included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As printed in seed 000.
    const SEED: &str = r#"{
  "my-bot": {
    "command": "python3 /path/to/bot.py",
    "duration_min": 480,
    "auto_restart": true,
    "max_restarts": 5,
    "restart_cooldown": 30
  }
}
"#;

    #[test]
    fn a_registry_of_the_seed_is_read_and_written_as_it_is() {
        let registry = Registry::unpack(SEED.as_bytes()).unwrap();
        let (name, process) = registry.processes().next().unwrap();
        assert_eq!(name.as_str(), "my-bot");
        assert_eq!(process.argv().unwrap(), ["sh", "-c", "python3 /path/to/bot.py"]);
        assert_eq!(process.duration(), Some(Duration::from_hours(8)));
        assert_eq!(
            *process,
            Process { duration_min: Seconds(480.0), ..Process::new("python3 /path/to/bot.py") }
        );
        assert_eq!(String::from_utf8(registry.pack()).unwrap(), SEED);
        let mut again = Registry::default();
        again.set(name, process.clone());
        assert_eq!(String::from_utf8(again.pack()).unwrap(), SEED);
    }

    #[test]
    fn a_bad_entry_is_named_and_lost_to_nobody() {
        let table = [
            (r#"{"command": 5}"#, "command: got the integer `5`, expected a string"),
            (r#"{"duration_min": 5}"#, "it has no command; expected one, for sh -c"),
            (
                r#"{"command": "x", "max_restarts": "five"}"#,
                "max_restarts: got the string \"five\", expected a whole number of 0 or more",
            ),
            (
                r#"{"command": "x", "max_restarts": -1}"#,
                "max_restarts: got the integer `-1`, expected a whole number of 0 or more",
            ),
            (
                r#"{"command": "x", "restart_cooldown": -3}"#,
                "restart_cooldown: got -3, expected a number of 0 or more",
            ),
            (
                r#"{"command": "x", "backoff": "none"}"#,
                "backoff: unknown variant `none`, expected `exponential` or `fixed`",
            ),
            (r#"{"command": " "}"#, "command: it is empty; expected a command"),
            (
                r#"{"command": "'x", "exec": true}"#,
                "command: got \"'x\"; expected each quote closed",
            ),
            (r#"{"command": "x", "max_memory": 0}"#, "max_memory: got 0, expected more"),
            (r#"{"command": "x", "after": ["bad"]}"#, "after: bad cannot be started after itself"),
            ("[]", "got [], expected an object with at least a command"),
        ];
        for (entry, why) in table {
            let text = format!(r#"{{"good": {{"command": "true"}}, "bad": {entry}}}"#);
            let registry = Registry::unpack(text.as_bytes()).unwrap();
            assert_eq!(registry.processes().count(), 1, "{entry}");
            let bad: Vec<&BadEntry> = registry.bad().collect();
            assert_eq!(bad[0].to_string(), format!("entry \"bad\": {why}"));
            let packed: Value = serde_json::from_slice(&registry.pack()).unwrap();
            assert_eq!(packed, serde_json::from_str::<Value>(&text).unwrap());
        }
        for (text, why) in [("[]", "invalid type"), ("{", "EOF"), (r#"{"a":1,"a":2}"#, "twice")] {
            let error = Registry::unpack(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(Registry::unpack(b" \n").unwrap().processes().count(), 0);
    }

    #[test]
    fn what_is_unknown_or_untouched_stays() {
        let text = r#"{"z": {"note": "mine", "command": "a"}, "a": {"command": "b", "x": [1]}}"#;
        let mut registry = Registry::unpack(text.as_bytes()).unwrap();
        registry.set(&"z".parse().unwrap(), Process::new("new"));
        registry.set(&"m".parse().unwrap(), Process { exec: true, ..Process::new("a 'b c'") });
        assert!(registry.remove("a") && !registry.remove("a"));
        let packed: Value = serde_json::from_slice(&registry.pack()).unwrap();
        assert_eq!(packed["z"]["note"], "mine");
        assert_eq!(packed["z"]["command"], "new");
        let names: Vec<&str> = registry.processes().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "m"]);
        let argv = registry.get(&"m".parse().unwrap()).unwrap().unwrap().argv().unwrap();
        assert_eq!(argv, ["a", "b c"]);
    }

    #[test]
    fn what_is_not_given_follows_from_what_is() {
        let some = |s: f64| Some(Seconds(s));
        let ms = Duration::from_millis;
        let table = [
            // check, timeout; looks, stale, probes
            (None, None, Ok((10_000, 300_000, 60_000))),
            (some(1.0), some(5.0), Ok((833, 5000, 1000))),
            (None, some(3.0), Ok((500, 3000, 1000))),
            (some(600.0), None, Ok((10_000, 1_800_000, 600_000))),
            (some(2.0), None, Ok((2000, 300_000, 2000))),
            (
                some(5.0),
                some(10.0),
                Err("progress_timeout: got 10s, expected more than twice the check_interval (5s)"),
            ),
        ];
        for (check_interval, progress_timeout, expected) in table {
            let process = Process { check_interval, progress_timeout, ..Process::new("x") };
            let got = process.rhythm().map(|r| (r.interval, r.stale, r.probes));
            let expected = expected.map(|(i, s, p)| (ms(i), ms(s), ms(p)));
            assert_eq!(
                got.map(|(i, s, p)| (ms(u64::try_from(i.as_millis()).unwrap()), s, p)),
                expected.map_err(str::to_owned)
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Registry::unpack(&bytes);
        }

        #[test]
        fn whatever_json_it_is_nothing_gets_lost(
            names in prop::collection::btree_set("[ -~]{0,12}", 0..5), entry in "[a-z]{0,4}",
        ) {
            let pairs: Map<String, Value> = names
                .iter()
                .map(|name| (name.clone(), serde_json::json!({"command": entry, "more": name})))
                .collect();
            let registry = Registry::unpack(&serde_json::to_vec(&pairs).unwrap()).unwrap();
            prop_assert_eq!(registry.processes().count() + registry.bad().count(), names.len());
            let packed: Map<String, Value> = serde_json::from_slice(&registry.pack()).unwrap();
            prop_assert_eq!(packed, pairs);
        }
    }
}

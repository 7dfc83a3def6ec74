//! The name of a job, safe as a file name and as a word in any message.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,99}`: never empty, never hidden, never a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobName(String);

/// The name is not one a job can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "bad name {got:?}: expected a letter or digit, then at most 99 letters, digits, '.', '_' or '-'"
)]
pub struct BadName {
    got: String,
}

impl FromStr for JobName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let body = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let good = text.len() <= 100
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && text.bytes().all(body);
        if good { Ok(Self(text.to_owned())) } else { Err(BadName { got: super::clip(text, 120) }) }
    }
}

impl TryFrom<String> for JobName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.0
    }
}

impl JobName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "0", "build-1", "a.b_c-d", &"x".repeat(100)] {
            assert!(good.parse::<JobName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "_x", "a/b", "a b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<JobName>().is_err(), "{bad}");
        }
    }
}

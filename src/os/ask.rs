//! Questions that may take their time: what files there are, and what an address answers. For a
//! thread of its own, because a dead mount or a slow name server blocks whoever asks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::Duration;
use ureq::http::Uri;

/// The files that match a pattern, as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When each was changed, folded into one number.
    changes: u64,
}

impl Files {
    /// Another number once anything changed.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.count, self.bytes, self.changes).hash(&mut hasher);
        hasher.finish()
    }
}

/// Why this is no pattern; `None` if it is one.
#[must_use]
pub fn bad_pattern(pattern: &str) -> Option<String> {
    if pattern.contains('{') {
        return Some("braces are the shell's: expected a pattern of *, ?, [] and **".to_owned());
    }
    glob::Pattern::new(pattern).err().map(|error| error.to_string())
}

/// Looks at all files that match a pattern as a shell has them: `*` finds no hidden files, `**`
/// descends.
///
/// # Errors
/// If none is found and something could not be read.
pub fn files(pattern: &str) -> io::Result<Files> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let mut found = Files::default();
    let mut unread = None;
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    for path in paths {
        let seen = path.map_err(io::Error::from).and_then(|path| {
            // A link that leads nowhere is a file, too.
            path.metadata().or_else(|_| path.symlink_metadata())
        });
        match seen {
            Ok(meta) => {
                found.count += 1;
                found.bytes = found.bytes.saturating_add(meta.len());
                let mut hasher = DefaultHasher::new();
                (found.changes, meta.modified().ok()).hash(&mut hasher);
                found.changes = hasher.finish(); // glob gives them in one order
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // went just now
            Err(error) => unread = Some(error),
        }
    }
    unread.filter(|_| found.count == 0).map_or(Ok(found), Err)
}

/// Why this is no address that can be asked; `None` if it is one.
#[must_use]
pub fn bad_address(address: &str) -> Option<String> {
    let expected = "expected http://HOST[:PORT][/PATH]";
    let uri = match address.parse::<Uri>() {
        Ok(uri) => uri,
        Err(error) => return Some(format!("{error}; {expected}")),
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            let quoted = address.replace('\'', "'\\''");
            return Some(format!(
                "https is not spoken here: give --health-cmd \"curl -fsS '{quoted}'\" instead"
            ));
        }
        _ => return Some(expected.to_owned()),
    }
    let port_is_bad = uri.authority().is_some_and(|authority| {
        // After a name and a password, and after an address that has colons itself.
        let port = authority.as_str().rsplit(['@', ']']).next().unwrap_or_default();
        port.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err())
    });
    let no_host = uri.host().unwrap_or_default().is_empty();
    (no_host || port_is_bad).then(|| expected.to_owned())
}

/// The status that an address answers a GET with. Redirects are answers, and no proxy is asked.
///
/// # Errors
/// Why there is no answer, in words.
pub fn status(address: &str, limit: Duration) -> Result<u16, String> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("sentinel-run/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    match agent.get(address).call() {
        Ok(response) => Ok(response.status().as_u16()),
        Err(ureq::Error::Timeout(_)) => Err("no answer in time".to_owned()),
        Err(ureq::Error::Io(error)) => Err(plain(&error)),
        Err(error) => Err(error.to_string()),
    }
}

/// An error without the number that Rust adds.
#[must_use]
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "http://localhost",
            "http://127.0.0.1:8080/health?x=1",
            "http://[::1]:8080/",
            "http://[::1]/",
            "http://ann:secret@host/x",
            "HTTP://host.example/",
        ] {
            assert_eq!(bad_address(good), None, "{good}");
        }
        for bad in [
            "",
            "localhost:8080",
            "localhost",
            "/health",
            "ftp://host/",
            "http://",
            "http:///x",
            "http://h:99999/",
            "http://h:x/",
            "http://a b/",
        ] {
            let why = bad_address(bad).unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(why.contains("expected http://HOST"), "{bad}: {why}");
        }
        let why = bad_address("https://localhost/x").unwrap();
        assert!(why.contains("--health-cmd \"curl -fsS 'https://localhost/x'\""), "{why}");
    }

    #[test]
    fn patterns_find_what_a_shell_would() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &str| std::fs::write(dir.path().join(name), bytes).unwrap();
        let pattern = dir.path().join("*.csv").display().to_string();
        assert_eq!(files(&pattern).unwrap(), Files::default());
        write("a.csv", "12345");
        write(".hidden.csv", "hidden");
        write("b.txt", "other");
        let one = files(&pattern).unwrap();
        assert_eq!((one.count, one.bytes), (1, 5));
        write("a.csv", "123456");
        let grown = files(&pattern).unwrap();
        assert!(grown.bytes == 6 && grown.mark() != one.mark());
        std::os::unix::fs::symlink("nowhere", dir.path().join("c.csv")).unwrap();
        assert_eq!(files(&pattern).unwrap().count, 2);
        assert!(bad_pattern("a**b").is_some() && bad_pattern("[").is_some());
        assert_eq!(bad_pattern("out/**/*.csv"), None);
    }
}

//! One line in the user's crontab. All other lines stay as they are, byte for byte.

use super::{LIMIT, Order};
use crate::os::bounded;
use crate::os::dir::MonitorDir;
use crate::os::lock::{Locked, lock};
use crate::protocol::time::human;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Vixie's cron takes no longer command, bytes.
const LONGEST: usize = 998;
/// More than any crontab, bytes.
const MOST: u64 = 16 << 20;
/// Ends the line that is ours, before the registry's path: where it is and however the line was
/// changed, it is known by this.
const MARK: &str = " # sentinel-keep: ";

/// The five fields that mean this often.
///
/// # Errors
/// If cron cannot: what it can.
pub fn schedule(every: Duration) -> Result<String, String> {
    let seconds = every.as_secs();
    let whole = every.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(60);
    match seconds / 60 {
        1 if whole => Ok("* * * * *".to_owned()),
        60 if whole => Ok("0 * * * *".to_owned()),
        1440 if whole => Ok("0 0 * * *".to_owned()),
        minutes if whole && minutes < 60 && 60_u64.is_multiple_of(minutes) => {
            Ok(format!("*/{minutes} * * * *"))
        }
        minutes
            if whole
                && minutes < 1440
                && 1440_u64.is_multiple_of(minutes)
                && minutes.is_multiple_of(60) =>
        {
            Ok(format!("0 */{} * * *", minutes / 60))
        }
        _ => Err(format!(
            "cron cannot look every {}: it can every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes, or 1, 2, 3, 4, 6, 8, 12 or 24 hours; or use --systemd",
            human(every)
        )),
    }
}

/// A word for sh, through cron. Cron ends a command at a `%` and takes the backslash off `\%`, some
/// off `\\`, some off nothing; so no backslash is followed by either, and a `%` is one that sh
/// takes the backslash off as well.
fn quote(word: &[u8]) -> Result<Vec<u8>, String> {
    if word.contains(&b'\n') {
        let word = String::from_utf8_lossy(word);
        return Err(format!("a crontab has no place for a newline, which is in {word:?}"));
    }
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"/_.,:=+@-".contains(&b);
    if !word.is_empty() && word.iter().copied().all(bare) {
        return Ok(word.to_vec());
    }
    let mut out = b"'".to_vec();
    for byte in word {
        match byte {
            b'\'' => out.extend_from_slice(br#"'"'"'"#),
            b'%' => out.extend_from_slice(br"'\%'"),
            b'\\' => out.extend_from_slice(br"\''"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
    Ok(out)
}

fn mark(registry: &Path) -> Result<Vec<u8>, String> {
    Ok([MARK.as_bytes(), &quote(registry.as_os_str().as_bytes())?].concat())
}

/// The line, with its end.
///
/// # Errors
/// If cron cannot look this often, or cannot hold such a line.
pub fn line(order: &Order) -> Result<Vec<u8>, String> {
    let mut words = vec![b"/usr/bin/env".to_vec()];
    for (name, value) in &order.environment {
        words.push(quote(&[name.as_bytes(), b"=", value.as_bytes()].concat())?);
    }
    words.push(quote(order.program.as_os_str().as_bytes())?);
    for argument in order.arguments() {
        words.push(quote(argument.as_bytes())?);
    }
    // What it did is in the events; what is wrong goes where cron sends what is printed.
    words.push(b">/dev/null".to_vec());
    let command = [words.join(&b' '), mark(&order.registry)?].concat();
    if command.len() > LONGEST {
        return Err(format!(
            "the line would have {} bytes, and cron takes {LONGEST}; use a shorter PATH (PATH=/usr/local/bin:/usr/bin:/bin sentinel-keep install), or --systemd",
            command.len()
        ));
    }
    Ok([schedule(order.every)?.as_bytes(), b" ", &command, b"\n"].concat())
}

/// A crontab with this line for the registry, once and where it was, or without any.
///
/// # Errors
/// If the registry's path cannot stand in a crontab.
pub fn merged(crontab: &[u8], registry: &Path, line: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let mark = mark(registry)?;
    let mut line = line;
    let mut out = Vec::new();
    for each in crontab.split_inclusive(|byte| *byte == b'\n') {
        if !each.trim_ascii_end().ends_with(&mark) {
            out.extend_from_slice(each);
        } else if let Some(line) = line.take() {
            out.extend_from_slice(line);
        }
    }
    if let Some(line) = line {
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        out.extend_from_slice(line);
    }
    Ok(out)
}

/// Puts the line into the user's crontab. Returns whether that changed it.
///
/// # Errors
/// If there is no cron, or what it said.
pub fn install(order: &Order, desk: Option<&MonitorDir>) -> Result<bool, String> {
    let line = line(order)?;
    edit(&order.registry, Some(&line), desk)
}

/// Takes the line out of the user's crontab. Returns whether there was one.
///
/// # Errors
/// What cron said.
pub fn uninstall(registry: &Path, desk: Option<&MonitorDir>) -> Result<bool, String> {
    if mark(registry).is_err() {
        return Ok(false); // no line of ours can be there
    }
    edit(registry, None, desk)
}

/// Two at once would each write back what the other had not yet written; the desk has the lock.
fn edit(registry: &Path, line: Option<&[u8]>, desk: Option<&MonitorDir>) -> Result<bool, String> {
    let _alone = desk.map(alone).transpose()?;
    let before = read()?;
    let after = merged(before.as_deref().unwrap_or_default(), registry, line)?;
    if before.as_deref().unwrap_or_default() == after {
        return Ok(false);
    }
    write(&after)?;
    Ok(true)
}

fn alone(desk: &MonitorDir) -> Result<Locked, String> {
    let busy =
        || "another sentinel-keep is changing the crontab all the time; try again".to_owned();
    let locked = lock(desk, &desk.path().join(".crontab.lock"), LIMIT);
    locked.map_err(|error| error.to_string())?.ok_or_else(busy)
}

fn crontab(argument: &str) -> Command {
    let mut command = Command::new("crontab");
    command.arg(argument).env("LC_ALL", "C");
    command
}

/// The user's crontab; `None` if there is none.
fn read() -> Result<Option<Vec<u8>>, String> {
    let (answer, bytes) = bounded::read(crontab("-l"), MOST, LIMIT)
        .map_err(|why| format!("crontab -l: {why}; install cron, or use --systemd"))?;
    if answer.status.success() {
        return Ok(Some(bytes));
    }
    if has_none(&answer.stderr) { Ok(None) } else { Err(format!("crontab -l: {}", answer.words())) }
}

/// Whether this says that the user has no crontab: Vixie's and its heirs' word, and busybox's.
fn has_none(said: &str) -> bool {
    said.contains("no crontab for")
        || (said.contains("can't open '") && said.contains("No such file or directory"))
}

/// An empty one is none.
fn write(bytes: &[u8]) -> Result<(), String> {
    let command = crontab(if bytes.is_empty() { "-r" } else { "-" });
    let answer = bounded::run(command, bytes, LIMIT).map_err(|why| format!("crontab: {why}"))?;
    if answer.status.success() {
        return Ok(());
    }
    let said = answer.stderr.replace('\n', " ");
    Err(format!(
        "crontab took nothing: {}",
        if said.trim().is_empty() { answer.words() } else { said }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsString;

    fn order(registry: &str, every: u64) -> Order {
        Order {
            program: "/usr/bin/sentinel-keep".into(),
            registry: registry.into(),
            standard: false,
            alert_cmd: None,
            seed_flags: None,
            every: Duration::from_secs(every),
            environment: vec![("PATH".to_owned(), OsString::from("/bin:/usr/bin"))],
        }
    }

    #[test]
    fn how_often() {
        let table = [
            (60, Some("* * * * *")),
            (300, Some("*/5 * * * *")),
            (1800, Some("*/30 * * * *")),
            (3600, Some("0 * * * *")),
            (7200, Some("0 */2 * * *")),
            (86400, Some("0 0 * * *")),
            (0, None),
            (30, None),
            (90, None),
            (420, None),
            (5400, None),
            (18000, None),
            (172_800, None),
        ];
        for (seconds, expected) in table {
            let got = schedule(Duration::from_secs(seconds));
            assert_eq!(got.as_deref().ok(), expected, "{seconds}");
            let told = got.err().is_none_or(|why| why.contains("20 or 30 minutes"));
            assert!(told, "{seconds}");
        }
        assert!(schedule(Duration::from_millis(60_500)).is_err());
    }

    #[test]
    fn the_line() {
        let plain = Order { seed_flags: Some("/tmp".into()), ..order("/r.json", 300) };
        let text = String::from_utf8(line(&plain).unwrap()).unwrap();
        let expected = "*/5 * * * * /usr/bin/env PATH=/bin:/usr/bin /usr/bin/sentinel-keep --registry /r.json --seed-flags healthcheck >/dev/null # sentinel-keep: /r.json\n";
        assert_eq!(text, expected);
        let odd = Order { alert_cmd: Some("mail -s '50%' \\\\%".into()), ..order("/a b/r", 60) };
        let text = String::from_utf8(line(&odd).unwrap()).unwrap();
        let alert = r#"--alert-cmd 'mail -s '"'"'50'\%''"'"' \''\'''\%'' healthcheck"#;
        assert!(text.contains(alert), "{text}");
        assert!(text.ends_with("# sentinel-keep: '/a b/r'\n"), "{text}");
        let newline = Order { alert_cmd: Some("a\nb".into()), ..order("/r", 60) };
        assert!(line(&newline).unwrap_err().contains("newline"));
        let path = vec![("PATH".to_owned(), "/x".repeat(600).into())];
        let long = line(&Order { environment: path, ..order("/r", 60) }).unwrap_err();
        assert!(long.contains("shorter PATH"), "{long}");
    }

    #[test]
    fn a_crontab_is_changed_in_one_line() {
        let mine = line(&order("/r", 300)).unwrap();
        let other = line(&order("/other", 60)).unwrap();
        let changed = line(&order("/r", 60)).unwrap();
        let user: &[u8] = b"MAILTO=me\n5 4 * * * \xff \\% x\n# sentinel-keep\n";
        let gives = |before: &[&[u8]], line: Option<&[u8]>, after: &[&[u8]]| {
            let got = merged(&before.concat(), Path::new("/r"), line).unwrap();
            assert_eq!(got.escape_ascii().to_string(), after.concat().escape_ascii().to_string());
        };
        gives(&[], Some(&mine), &[&mine]);
        gives(&[user], Some(&mine), &[user, &mine]);
        gives(&[user, &mine], Some(&mine), &[user, &mine]);
        gives(&[&mine, user, &mine, &other], Some(&changed), &[&changed, user, &other]);
        gives(&[user, &mine, &other], None, &[user, &other]);
        gives(&[b"#", &mine], None, &[]);
        gives(&[b"x"], Some(&mine), &[b"x\n", &mine]);
    }

    #[test]
    fn who_has_no_crontab() {
        assert!(has_none("no crontab for me\n"));
        assert!(has_none("crontab: can't open 'me': No such file or directory\n"));
        assert!(!has_none("You (me) are not allowed to use this program (crontab)\n"));
    }

    /// What Vixie's cron gives to sh of a command.
    fn through_cron(command: &[u8], takes_off_both: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bytes = command.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek()) {
                (b'%', _) => return out,
                (b'\\', Some(b'%')) => out.extend(bytes.next()),
                (b'\\', Some(b'\\')) if takes_off_both => out.extend(bytes.next()),
                (b'\\', Some(_)) => {
                    out.push(byte);
                    out.extend(bytes.next());
                }
                _ => out.push(byte),
            }
        }
        out
    }

    const NASTY: &str = "[a '\"\\\\%$`#*/:ü!~]{0,12}( # sentinel-keep: )?[a '\"\\\\%/]{0,6}";

    proptest! {
        #[test]
        fn words_arrive_as_they_were(word in NASTY) {
            let quoted = quote(word.as_bytes()).unwrap();
            for heard in [through_cron(&quoted, true), through_cron(&quoted, false), quoted.clone()] {
                let heard = String::from_utf8(heard).unwrap();
                let read = shell_words::split(&heard).unwrap();
                prop_assert_eq!(&read, std::slice::from_ref(&word), "{}", heard);
            }
        }

        #[test]
        fn registries_side_by_side(one in NASTY, two in NASTY, user in proptest::collection::vec("[ -~]{0,20}", 0..4)) {
            let (one, two) = (format!("/{one}"), format!("/{two}"));
            prop_assume!(one != two);
            let mut before: Vec<u8> = user.concat().into_bytes();
            if !before.is_empty() {
                before.push(b'\n');
            }
            let with = |crontab: &[u8], path: &str| {
                merged(crontab, Path::new(path), Some(&line(&order(path, 300)).unwrap())).unwrap()
            };
            let without = |crontab: &[u8], path: &str| merged(crontab, Path::new(path), None).unwrap();
            let first = with(&before, &one);
            prop_assert_eq!(&with(&first, &one), &first);
            let both = with(&first, &two);
            prop_assert_eq!(both.len(), first.len() + line(&order(&two, 300)).unwrap().len());
            prop_assert_eq!(&without(&both, &two), &first);
            prop_assert_eq!(&without(&first, &one), &before);
        }
    }
}

//! Whether the end of an output looks like a question to somebody.

use crate::protocol::text;

/// A prompt is cut here, characters.
const LENGTH: usize = 80;

/// The prompt at the end of an output, if its last line looks like one. To be asked only of a
/// program that waits for its input: then a last line without its end is one, whatever it says.
#[must_use]
pub fn prompt(output: &[u8]) -> Option<String> {
    let text = text::clean(output);
    let unfinished = !text.ends_with('\n');
    let line =
        text.trim_end().rsplit('\n').next().map(str::trim).filter(|line| !line.is_empty())?;
    let lower = line.to_lowercase();
    let asks = line.ends_with(['?', ':'])
        || ["[y/n]", "(y/n)", "(yes/no)"].iter().any(|choice| lower.contains(choice))
        || lower.starts_with("press ");
    (unfinished || asks).then(|| text::cut(line, LENGTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_prompt() {
        let table: [(&str, Option<&str>); 9] = [
            ("reading\nPassword: ", Some("Password:")),
            (
                "Are you sure you want to continue connecting (yes/no)? ",
                Some("Are you sure you want to continue connecting (yes/no)?"),
            ),
            ("\x1b[1m>>> \x1b[0m", Some(">>>")),
            ("Overwrite? [Y/n]\n", Some("Overwrite? [Y/n]")),
            ("Press ENTER to go on\n", Some("Press ENTER to go on")),
            ("Name:\n", Some("Name:")),
            ("done\n", None),
            ("", None),
            ("\n\n", None),
        ];
        for (output, expected) in table {
            assert_eq!(prompt(output.as_bytes()).as_deref(), expected, "{output:?}");
        }
        assert_eq!(prompt(&[b'x'; 5000]).unwrap().chars().count(), LENGTH + 1);
    }
}

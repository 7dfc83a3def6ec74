//! A text, counted in characters as the parser counts, and changes of it.

/// A text that is sliced by character.
#[derive(Debug)]
pub struct Text {
    whole: String,
    chars: Vec<char>,
}

/// A piece of a text, and what is to stand in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub from: usize,
    pub to: usize,
    pub new: String,
}

impl Text {
    pub fn new(text: &str) -> Self {
        Self { whole: text.to_owned(), chars: text.chars().collect() }
    }

    pub fn whole(&self) -> &str {
        &self.whole
    }

    pub fn slice(&self, from: usize, to: usize) -> String {
        let to = to.min(self.chars.len());
        self.chars.get(from..to).unwrap_or_default().iter().collect()
    }

    pub fn end(&self) -> usize {
        self.chars.len()
    }

    /// The place behind the last character that is no blank or line break.
    pub fn trimmed_end(&self) -> usize {
        let blanks = self.chars.iter().rev().take_while(|c| c.is_whitespace()).count();
        self.chars.len() - blanks
    }

    /// The first place from `at` on that is no blank; a line break is none.
    pub fn skip_blanks(&self, at: usize) -> usize {
        let blank = |c: &&char| matches!(c, ' ' | '\t');
        at + self.chars.get(at..).unwrap_or_default().iter().take_while(blank).count()
    }

    pub fn at(&self, place: usize) -> Option<char> {
        self.chars.get(place).copied()
    }

    /// A piece with the changes that lie in it. Of two that meet, the larger one counts.
    pub fn edited(&self, from: usize, to: usize, edits: &[Edit]) -> String {
        let mut inside: Vec<&Edit> =
            edits.iter().filter(|edit| edit.from >= from && edit.to <= to).collect();
        inside.sort_by_key(|edit| (edit.from, std::cmp::Reverse(edit.to)));
        let mut new = String::new();
        let mut at = from;
        for edit in inside {
            if edit.from < at {
                continue;
            }
            new += &self.slice(at, edit.from);
            new += &edit.new;
            at = edit.to;
        }
        new + &self.slice(at, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_by_character() {
        let text = Text::new("é nohup x & echo");
        let edit = |from, to, new: &str| Edit { from, to, new: new.to_owned() };
        let edits = [edit(2, 8, ""), edit(2, 11, "run x;"), edit(12, 16, "y")];
        assert_eq!(text.edited(0, text.end(), &edits), "é run x; y");
        assert_eq!(text.edited(2, 9, &edits), "x");
        assert_eq!(text.slice(2, 99), "nohup x & echo");
        assert_eq!((text.skip_blanks(1), text.at(99)), (2, None));
    }
}

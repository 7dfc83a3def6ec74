//! The fenced blocks of a document, and the commands of a console with what they print.

use std::fs;
use std::path::Path;

/// What the fences of the documents hold that is no command: of these, Rust is compiled elsewhere.
const NO_COMMANDS: [&str; 6] = ["", "ini", "json", "rust", "text", "toml"];

/// What is to be done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `sh`: a script that succeeds.
    Script,
    /// `console`: commands after a `$`, and what each prints.
    Session,
}

pub struct Block {
    pub kind: Kind,
    pub text: String,
    /// Where it stands: `README.md:39`.
    pub place: String,
}

/// A command of a session.
pub struct Example {
    pub command: String,
    pub printed: String,
}

/// The blocks of a document that hold commands, in their order.
pub fn blocks(document: &Path) -> Vec<Block> {
    let text = fs::read_to_string(document).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = document.strip_prefix(root).unwrap_or(document).display();
    let mut lines = text.lines().zip(1..);
    let mut blocks = Vec::new();
    while let Some((line, number)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let inside = lines.by_ref().map(|(line, _)| line);
        let inside = inside.take_while(|line| line.trim() != "```");
        // In a list a block is indented with its fence.
        let text: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
        let place = format!("{name}:{number}");
        let kind = match language.trim() {
            "sh" => Kind::Script,
            "console" => Kind::Session,
            known if NO_COMMANDS.contains(&known) => continue,
            other => panic!("{place}: whether a block of {other:?} is to be run is not known"),
        };
        blocks.push(Block { kind, text: text.join("\n"), place });
    }
    blocks
}

impl Block {
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The commands of a session. One goes on in lines that begin with `> `.
    pub fn examples(&self) -> Vec<Example> {
        let mut examples: Vec<Example> = Vec::new();
        for line in self.text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let command = command.to_owned();
                examples.push(Example { command, printed: String::new() });
                continue;
            }
            let last = examples.last_mut();
            let last = last.unwrap_or_else(|| panic!("{}: no command before {line:?}", self.place));
            match line.strip_prefix("> ").filter(|_| last.printed.is_empty()) {
                Some(more) => last.command = format!("{}\n{more}", last.command),
                None => last.printed = format!("{}{line}\n", last.printed),
            }
        }
        examples
    }
}

//! Tables of pairs: what a command of another tool is here, row by row.
//!
//! Such a table has the head `| | TOOL | here |`. A cell that begins with code holds commands, each of
//! which exits 0, or as it says after it: `` `timeout 1 sleep 9` exits 124 ``. Any other cell is prose.

use std::fs;
use std::path::Path;

/// A column of a table: the commands of one side, from top to bottom.
pub struct Side {
    pub tool: String,
    pub commands: Vec<Typed>,
}

pub struct Typed {
    pub command: String,
    pub exits: i32,
    /// Where it stands: `docs/migrating.md:39`.
    pub place: String,
}

/// What stands at the head of our side.
pub const HERE: &str = "here";

/// Both sides of each table of pairs.
pub fn sides(document: &Path) -> Vec<Side> {
    let text = fs::read_to_string(document).unwrap();
    let name = document.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(document).display();
    let mut lines = text.lines().zip(1..);
    let mut sides = Vec::new();
    while let Some((line, _)) = lines.next() {
        let head = cells(line);
        let ["", tool, HERE] = head.each_ref().map(String::as_str) else { continue };
        let tool = tool.trim_matches('`').to_owned();
        let mut theirs = Side { tool: tool.clone(), commands: Vec::new() };
        let mut ours = Side { tool: format!("{HERE}, for {tool}"), commands: Vec::new() };
        for (row, number) in lines.by_ref().skip(1).take_while(|(row, _)| row.starts_with('|')) {
            let place = format!("{name}:{number}");
            let [_, left, right] = cells(row);
            theirs.commands.extend(typed(&left, &place));
            ours.commands.extend(typed(&right, &place));
        }
        sides.extend([theirs, ours]);
    }
    sides
}

/// The three cells of a row; they are empty where it is none.
fn cells(row: &str) -> [String; 3] {
    let row = row.replace("\\|", "\u{1}");
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    match cells[..] {
        ["", a, b, c, ""] => [a, b, c].map(|cell| cell.replace('\u{1}', "|")),
        _ => Default::default(),
    }
}

fn typed(cell: &str, place: &str) -> Vec<Typed> {
    if !cell.starts_with('`') {
        return Vec::new();
    }
    let one = |part: &str| {
        let understood = part.trim().strip_prefix('`').and_then(|rest| rest.split_once('`'));
        let (command, after) = understood.unwrap_or_else(|| panic!("{place}: no command: {part}"));
        let exits = match after.trim() {
            "" => 0,
            word => {
                word.strip_prefix("exits ").and_then(|number| number.parse().ok()).unwrap_or_else(
                    || panic!("{place}: {command}: expected nothing or `exits N`, got {word:?}"),
                )
            }
        };
        Typed { command: command.to_owned(), exits, place: place.to_owned() }
    };
    cell.split("<br>").map(one).collect()
}

#[test]
fn a_cell_is_commands_or_prose() {
    let read = |cell: &str| -> Vec<(String, i32)> {
        typed(cell, "here").into_iter().map(|typed| (typed.command, typed.exits)).collect()
    };
    assert_eq!(read("no peer: `x` is not run"), []);
    assert_eq!(read("`a b`"), [("a b".to_owned(), 0)]);
    let two = [("a".to_owned(), 3), ("b | c".to_owned(), 0)];
    assert_eq!(read(&cells("| x | y | `a` exits 3<br>`b \\| c` |")[2]), two);
}

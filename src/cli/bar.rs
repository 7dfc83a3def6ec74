//! The live line of a terminal: what is said, and a bar for how much of it is done. It never takes
//! more than one row, for a second one would stay behind when the line is painted over.

/// Cells of a bar, at the most and at the least.
const CELLS: (usize, usize) = (20, 6);
/// What a bar takes besides its cells: `  [` and `] 100 %`.
const AROUND: usize = 10;
/// A terminal of fewer columns has no room for a bar and words.
const NARROW: usize = 40;

/// The line, fitted to so many columns.
#[must_use]
pub fn line(text: &str, share: Option<f64>, columns: usize) -> String {
    let Some(share) = share.filter(|_| columns >= NARROW) else { return fit(text, columns) };
    let room = columns.saturating_sub(width(text) + AROUND);
    let cells = room.clamp(CELLS.1, CELLS.0);
    format!("{}  {}", fit(text, columns - cells - AROUND), bar(share, cells))
}

/// `[#######-------------]  35 %`; full, and 100, only when all is done.
fn bar(share: f64, cells: usize) -> String {
    let share = share.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let parts = |of: u32| (share * f64::from(of)) as usize;
    let full = parts(u32::try_from(cells).unwrap_or(0));
    format!("[{}{}] {:>3} %", "#".repeat(full), "-".repeat(cells - full), parts(100))
}

/// Cuts a text to so many columns, with `…` where it was cut.
fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = cells('…');
    let fits = |c: &char| {
        used += cells(*c);
        used <= columns
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    if columns >= cells('…') {
        cut.push('…');
    }
    cut
}

fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// Columns of a character. Before the Hangul and among the punctuation marks none is wide; of the
/// others some are narrow, and a line may well be too short.
fn cells(c: char) -> usize {
    if c < '\u{1100}' || ('\u{2000}'..'\u{2100}').contains(&c) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bar_for_a_share() {
        assert_eq!(bar(0.0, 10), "[----------]   0 %");
        assert_eq!(bar(0.35, 20), "[#######-------------]  35 %");
        assert_eq!(bar(0.999, 10), "[#########-]  99 %");
        assert_eq!(bar(1.0, 10), "[##########] 100 %");
        assert_eq!(bar(7.0, 10), bar(1.0, 10));
        assert_eq!(bar(f64::NAN, 10), bar(0.0, 10));
    }

    #[test]
    fn a_line_is_fitted() {
        let text = "running  train  for 10m, epoch 3/10";
        for (share, columns, expected) in [
            (None, 79, text),
            (None, 20, "running  train  for…"),
            (Some(0.3), 79, "running  train  for 10m, epoch 3/10  [######--------------]  30 %"),
            (Some(0.3), 57, "running  train  for 10m, epoch 3/10  [###---------]  30 %"),
            (Some(0.3), 51, "running  train  for 10m, epoch 3/10  [#-----]  30 %"),
            (Some(0.3), 46, "running  train  for 10m, epoc…  [#-----]  30 %"),
            (Some(0.3), 30, "running  train  for 10m, epoc…"),
            (Some(0.3), 1, "…"),
            (Some(0.3), 0, ""),
        ] {
            assert_eq!(line(text, share, columns), expected, "{columns}");
        }
        assert_eq!(line("가가가가", None, 7), "가가가…");
    }

    proptest! {
        #[test]
        fn no_line_takes_a_second_row(
            text in "\\PC{0,200}", share in prop::option::of(any::<f64>()), columns in 0_usize..300,
        ) {
            let line = line(&text, share, columns);
            prop_assert!(width(&line) <= columns, "{line:?}");
        }
    }
}

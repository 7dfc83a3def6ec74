//! `sentinel-keep skill`: the skill, the subagent and the hooks, put where each host of agents looks for
//! them, and taken away again.
//!
//! ```text
//! content: what there is ─┐
//! place: where it goes ───┼─▶ plan: what is there ─▶ what would be ─▶ written, and recorded
//! settings: merged in ────┘                                            └─▶ undone exactly
//! ```
//!
//! A settings file is the user's. Nothing in it is lost or moved: it is edited as a text, comments and
//! blanks included. What it was is recorded, so that an undo restores its bytes; where somebody has
//! changed it since, the undo takes out what is ours and leaves the rest.

pub mod content;
pub mod entries;
pub mod settings;
pub mod place;
pub mod record;
pub mod plan;

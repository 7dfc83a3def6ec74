//! `completions`: what a shell needs to complete the command lines of all three programs, as one text
//! that can be sourced, or put where the shell looks for them.

use crate::cli::{run as wrap, watch};
use crate::os::say::print;
use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell as Generator, generate};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints it; the exit code.
pub fn run(shell: Shell) -> u8 {
    let text = match shell {
        // clap-rs/clap#6421: the hyphen of a program's name is taken for one of a subcommand's.
        Shell::Bash => texts(Generator::Bash).concat().replace("sentinel__subcmd__", "sentinel__"),
        Shell::Zsh => {
            format!(
                "{ZSH_FIRST}{}{ZSH}",
                texts(Generator::Zsh).map(|text| functions(&text)).concat()
            )
        }
        Shell::Fish => texts(Generator::Fish).concat(),
    };
    print(text.trim_end());
    0
}

/// What there is for each program.
fn texts(generator: Generator) -> [String; 3] {
    let commands = [super::Args::command(), wrap::Args::command(), watch::Args::command()];
    commands.map(|mut command| {
        let name = command.get_name().to_owned();
        let mut bytes = Vec::new();
        generate(generator, &mut command, name, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A file of zsh says in its first line for which commands it is loaded.
const ZSH_FIRST: &str = "#compdef sentinel-keep sentinel-run sentinel-watch\n";

/// Each program has a function of its own. Where zsh loads the file at a first completion, the file
/// stands for these functions, and that completion is still to be made.
const ZSH: &str = r#"
compdef _sentinel-keep sentinel-keep
compdef _sentinel-run sentinel-run
compdef _sentinel-watch sentinel-watch
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    "_$service" "$@"
fi
"#;

/// The functions alone, without what makes a file of each program: its first line, and the choice
/// at its end.
fn functions(text: &str) -> String {
    let own = text.rfind("\nif [ \"$funcstack[1]\" = ").unwrap_or(text.len());
    let lines = text[..own].lines().filter(|line| !line.starts_with("#compdef "));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

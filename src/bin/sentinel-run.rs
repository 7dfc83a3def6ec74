//! Wraps one command and keeps its sentinel files truthful.

fn main() -> std::process::ExitCode {
    sentinel::cli::run::main()
}

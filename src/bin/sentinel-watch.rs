//! Waits on jobs and gives one verdict each.

fn main() -> std::process::ExitCode {
    sentinel::cli::watch::main()
}

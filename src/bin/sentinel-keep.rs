//! Keeps registered processes alive.

fn main() -> std::process::ExitCode {
    sentinel::cli::keep::main()
}

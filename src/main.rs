//! The program `oncegate`.

fn main() -> std::process::ExitCode {
    oncegate::program::cli::main()
}

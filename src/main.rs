//! The program `oncegate`.

fn main() -> std::process::ExitCode {
    oncegate::cli::main()
}

//! The `drydock` command: parses the command line and hands it to [`drydock::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    drydock::cli::main()
}

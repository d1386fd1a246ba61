//! `brim`: the server, and its operator's commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    brim::cli::main(std::env::args_os())
}

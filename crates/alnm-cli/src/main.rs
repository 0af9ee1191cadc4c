//! The command `alnm`: medical images and radiomics on files.

mod extract;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Medical images and radiomics on files.
#[derive(Debug, Parser)]
#[command(name = "alnm", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Extract(Box<extract::ExtractArgs>),
}

fn main() -> ExitCode {
    match Arguments::parse_from(extract::with_long_names(std::env::args_os())).command {
        Command::Extract(arguments) => extract::run(&arguments),
    }
}

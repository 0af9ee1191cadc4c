//! `alnm completions` and `alnm man`: what shells and manuals know of the command.

use std::path::PathBuf;

use anyhow::Result;
use clap_complete::Shell;

use crate::messages::inform;
use crate::output::{Overwriting, in_folder, print_bytes, refuse_stream, require_folder};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm completions bash > ~/.local/share/bash-completion/completions/alnm
  alnm completions zsh > ~/.zfunc/_alnm
  alnm completions fish > ~/.config/fish/completions/alnm.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write manual pages, one for the program and one for each command, those of groups of commands too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for the pages; it is made where it is not there.
    folder: PathBuf,
    #[command(flatten)]
    overwriting: Overwriting,
}

impl Completions {
    pub(crate) fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command_line(), "alnm", &mut script);
        print_bytes(&script)
    }
}

impl Man {
    pub(crate) fn run(self) -> Result<()> {
        refuse_stream(&self.folder, "manual pages")?;
        let mut command = crate::command_line();
        command.build();
        let pages: Vec<(PathBuf, clap::Command)> = with_commands("alnm".to_owned(), &command)
            .into_iter()
            .map(|(name, command)| (self.folder.join(name + ".1"), command))
            .collect();
        require_folder(&self.folder)?;
        self.overwriting.check(pages.iter().map(|(path, _)| path.as_path()))?;
        in_folder(&self.folder, || {
            pages.iter().try_for_each(|(path, command)| {
                let mut page = Vec::new();
                clap_mangen::Man::new(command.clone()).render(&mut page)?;
                self.overwriting.write_file(path, &page)
            })
        })?;
        inform(format_args!("{} pages in {}", pages.len(), self.folder.display()));
        Ok(())
    }
}

/// A command under the name of its page, and all commands below it, under the names of theirs.
fn with_commands(name: String, command: &clap::Command) -> Vec<(String, clap::Command)> {
    let below = command.get_subcommands().filter(|each| each.get_name() != "help");
    let mut pages: Vec<_> = below.flat_map(|each| with_commands(format!("{name}-{}", each.get_name()), each)).collect();
    pages.push((name.clone(), command.clone().display_name(name)));
    pages
}

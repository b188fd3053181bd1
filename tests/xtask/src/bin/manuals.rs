//! Manual pages and completions of the three commands, from the same definitions that read their command lines: a page cannot name an option
//! that is not there, or miss one. A program of its own, because it is built from all three, and `cargo xtask demo` shall not wait for them.
//!
//! `manuals FOLDER` writes `FOLDER/<command>/{man1,bash,zsh,fish}`, as a package takes them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("manuals: which folder shall the pages be written to?");
        return ExitCode::from(2);
    };
    match commands().into_iter().try_for_each(|command| write(&folder, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manuals: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The commands under the names that are typed.
fn commands() -> [Command; 3] {
    [
        scanner::commands::CommandLine::command(),
        authority::commands::Arguments::command(),
        centre::commands::Arguments::command().name("checkpoint-centre"),
    ]
}

fn write(folder: &Path, mut command: Command) -> io::Result<()> {
    let name = command.get_name().to_owned();
    // A page for each subcommand, as git(1) has them, and none for the word `help`.
    let pages = without_help(command.clone());
    let place = folder.join(&name);
    for (part, shell) in [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)] {
        fs::create_dir_all(place.join(part))?;
        let written = generate_to(shell, &mut command, &name, place.join(part))?;
        if shell == Shell::Bash {
            // bash looks for a file of the command's own name.
            fs::rename(written, place.join(part).join(&name))?;
        }
    }
    fs::create_dir_all(place.join("man1"))?;
    clap_mangen::generate_to(pages, place.join("man1"))
}

fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_completions_and_the_gates_page_knows_no_demonstration() {
        let folder = tempfile::tempdir().expect("a folder");
        for command in commands() {
            write(folder.path(), command).expect("written");
        }
        for file in [
            "checkpointd/man1/checkpointd.1",
            "checkpointd/man1/checkpointd-log-query.1",
            "checkpointd/bash/checkpointd",
            "checkpointd/zsh/_checkpointd",
            "checkpointd/fish/checkpointd.fish",
            "authority/man1/authority-issuer-add.1",
            "checkpoint-centre/man1/checkpoint-centre-serve.1",
        ] {
            assert!(folder.path().join(file).is_file(), "{file}");
        }
        let page = fs::read_to_string(folder.path().join("checkpointd/man1/checkpointd.1")).expect("text");
        assert!(page.contains("Run the lanes of this checkpoint") && page.contains("78 configuration"), "{page}");
        assert!(!folder.path().join("checkpointd/man1/checkpointd-help.1").exists());
    }
}

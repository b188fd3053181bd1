//! The code blocks of a Markdown document that hold commands, and what the document says is to be done with them.
//!
//! | in the source | is |
//! |---|---|
//! | ` ```console ` | a session: after each `$ command` comes what it prints; it is run and compared |
//! | ` ```sh ` | commands, one a line; each must succeed |
//! | ` ```console no-run: reason ` (or `sh`) | not run, for that reason |
//! | `<!-- run`, commands, `-->` | commands that the reader does not see: what a session needs first |
//!
//! Any other block that looks like commands is an error: a document says of each whether it is run.

/// A block with commands.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// What is to be typed, and what it prints.
    pub steps: Vec<Step>,
    /// Why it is not run.
    pub not_run: Option<String>,
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub line: usize,
    pub command: String,
    /// The sample; empty where the document shows none.
    pub prints: Vec<String>,
}

/// What a command begins with.
const PROGRAMS: &[&str] = &[
    "$",
    "#",
    "sudo",
    "cargo",
    "checkpointd",
    "checkpoint-centre",
    "authority",
    "systemctl",
    "apt-get",
    "rsync",
    "curl",
    "python3",
    "openssl",
    "git",
    "mv",
    "cp",
    "pip",
    "printf",
    "tests/vm/run.sh",
];

/// The blocks of a document, in order.
///
/// # Errors
/// With the line of a block that looks like commands and is not marked.
pub fn blocks(document: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().zip(1..).peekable();
    let mut before_is_blank = true;
    while let Some((text, line)) = lines.next() {
        if let Some(info) = text.strip_prefix("```") {
            let inside: Vec<(&str, usize)> = lines.by_ref().take_while(|(text, _)| !text.starts_with("```")).collect();
            let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
            match (language, mark.split_once(": ")) {
                ("console" | "sh", Some(("no-run", why))) if !why.trim().is_empty() => {
                    blocks.push(Block { line, steps: Vec::new(), not_run: Some(why.trim().to_owned()) });
                }
                ("console", None) if mark.is_empty() => {
                    blocks.push(Block { line, steps: session(&inside)?, not_run: None })
                }
                ("sh", None) if mark.is_empty() => blocks.push(Block { line, steps: script(&inside), not_run: None }),
                ("console" | "sh", _) => {
                    return Err(format!("line {line}: after {language} only `no-run: REASON` may stand"));
                }
                // A block of another language, or of `text`, says what it is.
                ("", _) => unmarked(&inside)?,
                _ => (),
            }
        } else if text.trim_end() == "<!-- run" {
            let inside: Vec<_> = lines.by_ref().take_while(|(text, _)| text.trim_end() != "-->").collect();
            blocks.push(Block { line, steps: script(&inside), not_run: None });
        } else if before_is_blank && text.starts_with("    ") {
            let mut inside = vec![(text, line)];
            while let Some(next) = lines.next_if(|(text, _)| text.starts_with("    ")) {
                inside.push(next);
            }
            unmarked(&inside)?;
        }
        before_is_blank = text.trim().is_empty();
    }
    Ok(blocks)
}

fn unmarked(inside: &[(&str, usize)]) -> Result<(), String> {
    let command = |(text, _): &&(&str, usize)| {
        let mut words = text.split_whitespace();
        // A word of ours alone on its line names a thing; a command has something after it.
        words.next().is_some_and(|word| PROGRAMS.contains(&word) && word != "#" || word.starts_with("target/"))
            && words.next().is_some()
    };
    match inside.iter().find(command) {
        Some((text, line)) => Err(format!("line {line}: {:?} looks like a command: is it run?", text.trim())),
        None => Ok(()),
    }
}

/// Commands and what they print.
fn session(inside: &[(&str, usize)]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for &(text, line) in inside {
        if goes_on && let Some(step) = steps.last_mut() {
            step.command.push('\n');
            step.command.push_str(text);
        } else if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step { line, command: command.to_owned(), prints: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            step.prints.push(text.to_owned());
            continue;
        } else {
            return Err(format!("line {line}: a session begins with `$ ` and a command"));
        }
        goes_on = text.ends_with('\\');
    }
    Ok(steps)
}

/// Commands, one a line.
fn script(inside: &[(&str, usize)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for &(text, line) in inside {
        if goes_on && let Some(step) = steps.last_mut() {
            step.command.push('\n');
            step.command.push_str(text);
        } else if !text.trim().is_empty() && !text.starts_with('#') {
            steps.push(Step { line, command: text.to_owned(), prints: Vec::new() });
        }
        goes_on = text.ends_with('\\');
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_with_its_samples_and_its_continued_lines() {
        let read = blocks("# x\n\n```console\n$ a \\\n    b\nout\n$ c\n```\n\n<!-- run\nd\n-->\n").expect("marked");
        let step = |line, command: &str, prints: &[&str]| Step {
            line,
            command: command.to_owned(),
            prints: prints.iter().map(|line| (*line).to_owned()).collect(),
        };
        let session = vec![step(4, "a \\\n    b", &["out"]), step(7, "c", &[])];
        let hidden = vec![step(11, "d", &[])];
        let block = |line, steps| Block { line, steps, not_run: None };
        assert_eq!(read, [block(3, session), block(10, hidden)]);
    }

    #[test]
    fn a_block_of_commands_that_does_not_say_whether_it_is_run_is_an_error() {
        for document in [
            "text\n\n    $ checkpointd status\n",
            "text\n\n    cargo xtask check     # all\n",
            "```\nauthority --dir a publish\n```\n",
            "```\ntarget/release/checkpointd demo --once\n```\n",
            "```sh no-run\nsystemctl stop x\n```\n",
            "```console no-run: \n$ a\n```\n",
        ] {
            assert!(blocks(document).is_err(), "{document}");
        }
        let marked = "```sh no-run: it needs systemd\nsystemctl stop x\n```\n\n    text = \"a\"\n\n```text\ncheckpointd scan log 1\n```\n";
        let kept = blocks(marked).expect("marked");
        assert_eq!(kept[0].not_run.as_deref(), Some("it needs systemd"));
    }
}

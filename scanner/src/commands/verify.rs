//! `checkpointd verify`: judges code texts from standard input. Never from the command line: it would land in the process list.

use std::{
    io::{self, BufRead, Read, Write},
    path::{Path, PathBuf},
};

use cache::log::{attestation::Attestation, note::NoteVerifier};
use clap::Args;
use host::clock::Clock;
use lane::text::Text;

use super::judging::{self, Judging, NoVerdict};
use crate::commands::failure::{Exit, Failure};

/// Longest line read: the longest text a symbol holds, and room to say that a line is longer.
const MAX_LINE: u64 = 8 * 1024;

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  checkpointd verify --trust /media/stick --relying 440000 --json < codes.txt\n  \
    checkpointd verify --attestation gate-3.pub < scanned.txt      (the key: checkpointd log anchor --public-key)\n\n\
    Ends with the worst verdict of all lines: 0 admit, 11 refer, 10 refuse; 12 when no line was a pass code.")]
pub struct Arguments {
    #[command(flatten)]
    judging: Judging,
    /// Check a device's attestation (the text of its symbol) instead, with the public key in this file
    #[arg(long, value_name = "KEY-FILE", conflicts_with_all = ["trust", "relying", "profile"])]
    attestation: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Judges line after line.
///
/// # Errors
/// When the lists cannot be loaded, or input or output breaks.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    if let Some(key) = &arguments.attestation {
        return inspect(key, arguments.json);
    }
    let judge = arguments.judging.load(said, clock)?;
    let broken = |error| Failure::new("cannot write the verdicts").because(error);
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut verdicts = Vec::new();
    while let Some(text) = line(&mut input)? {
        let decision = Text::of(&text).and_then(|text| judge.decide(text.as_str()));
        verdicts.push(decision.as_ref().map(|decision| decision.verdict));
        let shown = match (&decision, arguments.json) {
            (Some(decision), true) => serde_json::to_string(decision),
            (None, true) => serde_json::to_string(&NoVerdict::NOT_A_PASS_CODE),
            (Some(decision), false) => Ok(judging::sentence(decision)),
            (None, false) => Ok("not a pass code".to_owned()),
        };
        writeln!(output, "{}", shown.map_err(|error| Failure::new("cannot print a verdict").because(error))?)
            .map_err(broken)?;
    }
    output.flush().map_err(broken)?;
    Ok(judging::exit(&verdicts))
}

/// Checks what a device said of itself: ends with 0 when the device of this key said it, with 10 when not.
fn inspect(key: &Path, json: bool) -> Result<Exit, Failure> {
    let told = std::fs::read_to_string(key)
        .map_err(|error| Failure::new(format!("cannot read the public key {}", key.display())).because(error))?;
    let verifier: NoteVerifier =
        told.parse().map_err(|error| Failure::new(format!("{}", key.display())).because(error))?;
    let mut note = String::new();
    io::stdin()
        .lock()
        .take(MAX_LINE)
        .read_to_string(&mut note)
        .map_err(|error| Failure::new("cannot read the attestation from standard input").because(error))?;
    // Scanners on phones like to trim the end.
    let note = format!("{}\n", note.trim_end());
    let said = match Attestation::open(&note, &verifier) {
        Ok(said) => said,
        Err(error) => {
            super::output::print(&format!("{error}\n"));
            return Ok(Exit::Refuse);
        }
    };
    if json {
        let text = serde_json::to_string(&said).map_err(|error| Failure::new("cannot print").because(error))?;
        super::output::print(&format!("{text}\n"));
        return Ok(Exit::Ok);
    }
    let lists: Vec<String> =
        said.statement.lists.iter().map(|(issuer, generation)| format!("{issuer} {generation}")).collect();
    super::output::print(&format!(
        "signed by   {}\ncheckpoint  {}\nbuild       {}\ntime        {} ({}): compare it with your own watch\n\
         scan log    {} with {} rows, head {}\nlists       {}\n",
        verifier.name(),
        said.statement.checkpoint,
        said.statement.build,
        said.statement.at,
        said.statement.time_trust,
        said.log,
        said.rows,
        said.head,
        lists.join(", "),
    ));
    Ok(Exit::Ok)
}

/// The next line without its end; what is beyond [`MAX_LINE`] is read past. Bytes that are no UTF-8 make the line no pass code.
fn line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let broken = |error| Failure::new("cannot read standard input").because(error);
    let mut bytes = Vec::new();
    if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(broken)? == 0 {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE {
        input.skip_until(b'\n').map_err(broken)?;
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_an_endless_one_is_cut() {
        let mut input = io::Cursor::new([b"MR1:A\n".to_vec(), vec![b'X'; 20_000], b"\nMR1:B".to_vec()].concat());
        let mut next = || {
            let line = line(&mut input).expect("memory can be read");
            line.map(|bytes| String::from_utf8(bytes).expect("text"))
        };
        assert_eq!(next().as_deref(), Some("MR1:A"));
        assert_eq!(next().map(|long| long.len()), Some(8192));
        assert_eq!(next().as_deref(), Some("MR1:B"));
        assert_eq!(next(), None);
    }
}

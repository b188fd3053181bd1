//! `checkpointd verify`: judges code texts from standard input. Never from the command line: it would land in the process list.

use std::{
    io::{self, BufRead, Read, Write},
    path::Path,
};

use clap::Args;

use super::judging::{self, Judging, NoVerdict};
use crate::failure::{Exit, Failure};

/// Longest line read: the longest text a symbol holds, and room to say that a line is longer.
const MAX_LINE: u64 = 8 * 1024;

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  checkpointd verify --trust /media/stick --relying 440000 --json < codes.txt\n\n\
    Ends with the worst verdict of all lines: 0 admit, 11 refer, 10 refuse; 12 when no line was a pass code.")]
pub struct Arguments {
    #[command(flatten)]
    judging: Judging,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Judges line after line.
///
/// # Errors
/// When the lists cannot be loaded, or input or output breaks.
pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<Exit, Failure> {
    let judge = arguments.judging.load(config)?;
    let broken = |error| Failure::new("cannot write the verdicts").because(error);
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut verdicts = Vec::new();
    while let Some(text) = line(&mut input)? {
        let decision = judge.decide(&text);
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

/// The next line without its end; what is beyond [`MAX_LINE`] is read past. Bytes that are no UTF-8 make the line no pass code.
fn line(input: &mut impl BufRead) -> Result<Option<String>, Failure> {
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
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_an_endless_one_is_cut() {
        let mut input = io::Cursor::new([b"MR1:A\n".to_vec(), vec![b'X'; 20_000], b"\nMR1:B".to_vec()].concat());
        let mut next = || line(&mut input).expect("memory can be read");
        assert_eq!(next().as_deref(), Some("MR1:A"));
        assert_eq!(next().map(|long| long.len()), Some(8192));
        assert_eq!(next().as_deref(), Some("MR1:B"));
        assert_eq!(next(), None);
    }
}

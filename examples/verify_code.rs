//! A judge that verifies one code: the text comes from standard input, the lists from a folder as it lies on a stick or a mirror.
//!
//!     head -1 /tmp/gate/codes.txt | cargo run --package tests --example verify_code -- /tmp/gate/trust 440000

use std::{
    error::Error,
    io::{self, BufRead},
    path::Path,
    process::ExitCode,
    time::SystemTime,
};

use trustlist::{
    judge::{self, Context, Decision, Outcome},
    region::Region,
    time::{Moment, UnixTime},
    trust::Trust,
    verdict::Verdict,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, relying] = arguments.as_slice() else {
        eprintln!("usage: verify_code FOLDER REGION < code.txt");
        return ExitCode::from(2);
    };
    match verify(Path::new(folder), relying) {
        Ok(None) => {
            println!("not a pass code");
            ExitCode::from(12)
        }
        Ok(Some(decision)) => {
            println!("{} {}", decision.verdict, decision.reason);
            ExitCode::from(match decision.verdict {
                Verdict::Admit => 0,
                Verdict::Refer => 11,
                Verdict::Refuse => 10,
            })
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn verify(folder: &Path, relying: &str) -> Result<Option<Decision>, Box<dyn Error>> {
    // Every signature and hash is checked here; the folder's own first national root is believed, because whoever names a folder vouches for it.
    let trust = sync::lists::from_folder(folder)?;
    let mut text = String::new();
    io::stdin().lock().read_line(&mut text)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let moment = Moment::synced(UnixTime(i64::try_from(now.as_secs())?));
    Ok(decide(text.trim_end(), &trust, relying.parse()?, moment))
}

/// The judge has no clock and no files: text, lists, place and moment go in, and a decision comes out.
fn decide(text: &str, trust: &Trust, relying: Region, moment: Moment) -> Option<Decision> {
    match judge::decide(text, trust, &Context { moment, relying, profile: None }) {
        Outcome::NotAPassCode => None,
        // `close` parts the decision from the admission. Who opens a gate spends the admission there; here nobody does.
        Outcome::Judged(judgement) => Some(judgement.close().0),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use scanner::demo::country;
    use trustlist::verdict::Reason;

    use super::*;

    #[test]
    fn a_good_code_is_admitted_a_forged_one_refused_and_a_ticket_is_no_pass_code() {
        let now = UnixTime(1_612_137_600);
        let country = country::country(now).expect("made");
        let folder = tempfile::tempdir().expect("a folder");
        for (path, bytes) in &country.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        let trust = sync::lists::from_folder(folder.path()).expect("lists");
        let moment = Moment::synced(now);
        for traveller in &country.travellers {
            let decision = decide(&traveller.text, &trust, country::GATE.parse().expect("a region"), moment);
            let reason = decision.map(|decision| decision.reason);
            // Whoever comes twice is admitted twice here: what was used already is known to a log, and here is none.
            let expected =
                traveller.expected.map(|expected| if expected == Reason::AlreadyUsed { Reason::Ok } else { expected });
            assert_eq!(reason, expected, "{}", traveller.who);
        }
    }
}

//! `checkpointd demo`: a country with 34 provinces, a gate in one of them, and travellers of every kind in front of the real daemon.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use authority::code::picture::{Level, Picture};
use clap::Args;
use host::{clock::Clock, config::Config, settled};
use serde::Serialize;
use sync::lists::{self, LoadedLists};
use tokio::sync::watch;
use trustlist::{
    judge::Decision,
    verdict::{Reason, Verdict},
};

use super::judging::sentence;
use crate::{
    commands::failure::{Exit, Failure},
    daemon::{self, DaemonEvent, Setup},
    demo::{
        country::{self, Country, GATE, Traveller},
        crowd::{Answers, Crowd, Tempo},
        draw::Modules,
    },
};

/// Where the page is shown, unless something else is there already.
const PAGE: &str = "127.0.0.1:8470";
/// For people who watch: an empty window between two travellers, and time to read the screen.
const TO_WATCH: Tempo = Tempo { gap: Duration::from_millis(700), linger: Duration::from_millis(1400) };
/// For a script: no longer than the lane's own rules ask.
const TO_COUNT: Tempo = Tempo { gap: Duration::from_millis(560), linger: Duration::ZERO };

/// `demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  checkpointd demo\n  checkpointd demo --once --json\n\n\
    Travellers are drawn as camera frames: in perspective, blurred, noisy, badly lit. Open the address it prints to see the lane's\n\
    screen. Nothing is installed and nothing remains, unless --keep names a folder for the lists, the log and the pass codes.")]
pub struct Arguments {
    /// End after the last traveller, and with 1 if one got an unexpected verdict
    #[arg(long)]
    once: bool,
    /// One object at the end, for a script; needs --once
    #[arg(long, requires = "once")]
    json: bool,
    /// Keep everything in this folder, which must be new or empty
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

/// Plays it.
///
/// # Errors
/// When the country cannot be made or the daemon cannot start.
pub fn run(clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let temporary = tempfile::tempdir().map_err(|error| Failure::new("no place for a demonstration").because(error))?;
    // The configuration that is kept names it, and a configuration's places are absolute.
    let folder = arguments.keep.as_deref().map_or_else(|| Ok(temporary.path().to_owned()), std::path::absolute);
    let folder = folder.map_err(|error| Failure::new("no place for a demonstration").because(error))?;
    let folder = folder.as_path();
    let country = country::country(clock.unix())
        .map_err(|error| Failure::new("the demonstration's country cannot be made").because(error))?;
    let config = prepare(folder, &country, clock, arguments.keep.is_some())?;
    if !arguments.json {
        println!("A gate in Guangdong ({GATE}), {} travellers. Ctrl-C ends it.\n", country.travellers.len());
    }
    let mut tally = Tally::new(&country.travellers);
    loop {
        let tempo = if arguments.json { TO_COUNT } else { TO_WATCH };
        let stopped = play(&config, (folder, clock), &country, tempo, &mut tally, arguments.json)?;
        if arguments.once || stopped {
            break;
        }
    }
    let report = tally.report();
    if arguments.json {
        println!("{}", serde_json::to_string(&report).expect("counts are plain data"));
    } else {
        print!("{}", report.text());
    }
    if arguments.keep.is_some() {
        println!(
            "kept in {}; try: checkpointd --config {} log query",
            folder.display(),
            folder.join("config.toml").display()
        );
    }
    Ok(if report.unexpected == 0 && report.unanswered == 0 { Exit::Ok } else { Exit::Failure })
}

/// Writes lists, configuration and, where all is kept, the pass codes.
fn prepare(folder: &Path, country: &Country, clock: &Clock, keep_codes: bool) -> Result<Config, Failure> {
    let failed = |error: io::Error| Failure::new(folder.display().to_string()).because(error);
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::usage(format!("{} is not empty; name a new folder", folder.display())));
    }
    for (path, bytes) in &country.files {
        let path = folder.join("trust").join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
        fs::write(path, bytes).map_err(failed)?;
    }
    if keep_codes {
        let codes: Vec<&str> = country.travellers.iter().map(|traveller| traveller.text.as_str()).collect();
        fs::write(folder.join("codes.txt"), codes.join("\n") + "\n").map_err(failed)?;
    }
    // The lists are of this very moment by this very clock: what it shows is right for them, whether or not a time service is near.
    settled::record(folder, clock.unix()).map_err(failed)?;
    let place = toml::Value::String(folder.display().to_string());
    // Every traveller has another code. However slowly a machine draws them, nobody is judged twice, which would count for the next.
    let text = format!(
        "[checkpoint]\nid = \"Guangzhou South\"\nrelying = \"{GATE}\"\n[places]\nstate = {place}\nruntime = {place}\n\
         [page]\nlisten = \"{}\"\n[[lane]]\nid = \"1\"\nsame_symbol_timeout = \"10s\"\n",
        free_address()
    );
    fs::write(folder.join("config.toml"), &text).map_err(failed)?;
    Config::parse(&text, "the demonstration").map_err(|error| Failure::configuration(error.to_string()))
}

/// The usual address, or any when somebody has that one.
fn free_address() -> SocketAddr {
    let usual: SocketAddr = PAGE.parse().expect("an address");
    match std::net::TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::new(usual.ip(), 0),
    }
}

/// Plays all travellers once. Whether somebody stopped it before the last.
fn play(
    config: &Config,
    (folder, clock): (&Path, &Clock),
    country: &Country,
    tempo: Tempo,
    tally: &mut Tally,
    quiet: bool,
) -> Result<bool, Failure> {
    let phones: Vec<Modules> = country.travellers.iter().map(phone).collect::<Result<_, _>>()?;
    let answers = Answers::default();
    let (told, heard) = mpsc::channel();
    let (stop, stops) = watch::channel(false);
    let (config, trust) = (config.clone(), folder.join("trust"));
    let to_crowd = answers.clone();
    let to_camera = clock.clone();
    let setup = Setup {
        clock: clock.clone(),
        config: Arc::new(move || Ok(config.clone())),
        lists: Arc::new(move |_| Ok(LoadedLists { trust: lists::from_folder(&trust)?, remarks: Vec::new() })),
        source: Arc::new(move |_| Ok(Box::new(Crowd::new(phones.clone(), tempo, to_crowd.clone(), to_camera.clone())))),
        observer: Some(told),
        stop: Some(stops),
    };
    let daemon = thread::spawn(move || daemon::run(&setup));
    let mut at = 0;
    for told in heard {
        let answer = match told {
            DaemonEvent::Page(address) if !quiet => {
                println!(
                    "the lane's screen:     http://{address}/\nthe operator's screen: http://{address}/operator\n"
                );
                continue;
            }
            DaemonEvent::Page(_) | DaemonEvent::Ready { .. } => continue,
            DaemonEvent::Verdict { decision, took, .. } => Some((decision, took)),
            DaemonEvent::NotAPassCode { .. } => None,
        };
        let Some(traveller) = country.travellers.get(at) else { continue };
        tally.answered(at, answer.as_ref().map(|(decision, _)| decision.as_ref()));
        if !quiet {
            println!("{}", line(traveller, answer.as_ref().map(|(decision, took)| (decision.as_ref(), *took))));
            // Whoever closed the terminal's other end is told by the next line.
            let _ = io::stdout().flush();
        }
        answers.given();
        at += 1;
    }
    drop(stop);
    let ended = daemon.join().map_err(|_| Failure::new("the daemon panicked"))?;
    ended?;
    Ok(at < country.travellers.len())
}

fn phone(traveller: &Traveller) -> Result<Modules, Failure> {
    let picture = Picture::draw(&traveller.text, Level::M)
        .map_err(|error| Failure::new("a traveller's code does not fit a symbol").because(error))?;
    Ok(Modules { size: picture.width(), dark: picture.modules().to_vec() })
}

/// What the terminal says about one traveller.
fn line(traveller: &Traveller, answer: Option<(&Decision, Duration)>) -> String {
    let (said, took, reason) = match answer {
        None => ("–      not a pass code".to_owned(), String::new(), None),
        Some((decision, took)) => {
            (sentence(decision), format!("  {:.0} ms", took.as_secs_f64() * 1000.0), Some(decision.reason))
        }
    };
    let surprise = if reason == traveller.expected { "" } else { "  UNEXPECTED" };
    let colour = match answer.map(|(decision, _)| decision.verdict) {
        None => "2",
        Some(Verdict::Admit) => "32",
        Some(Verdict::Refer) => "33",
        Some(Verdict::Refuse) => "31",
    };
    let said = if io::IsTerminal::is_terminal(&io::stdout()) { format!("\x1b[{colour}m{said}\x1b[0m") } else { said };
    format!("{:<52} {said}{took}{surprise}", traveller.who)
}

/// What came of it all.
struct Tally<'a> {
    travellers: &'a [Traveller],
    answers: Vec<Option<Option<Reason>>>,
    verdicts: BTreeMap<&'static str, usize>,
    reasons: BTreeMap<&'static str, usize>,
}

impl<'a> Tally<'a> {
    fn new(travellers: &'a [Traveller]) -> Tally<'a> {
        Tally { travellers, answers: vec![None; travellers.len()], verdicts: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    fn answered(&mut self, at: usize, decision: Option<&Decision>) {
        self.answers[at] = Some(decision.map(|decision| decision.reason));
        let (verdict, reason) = match decision {
            None => ("none", "not-a-pass-code"),
            Some(decision) => (decision.verdict.code(), decision.reason.code()),
        };
        *self.verdicts.entry(verdict).or_default() += 1;
        *self.reasons.entry(reason).or_default() += 1;
    }

    fn report(&self) -> Report {
        let code = |reason: Option<Reason>| reason.map_or("not-a-pass-code", Reason::code);
        let mut surprises = Vec::new();
        for (traveller, answer) in self.travellers.iter().zip(&self.answers) {
            if let Some(got) = answer.filter(|got| *got != traveller.expected) {
                surprises.push(Surprise { who: traveller.who, expected: code(traveller.expected), got: code(got) });
            }
        }
        let answered = self.answers.iter().flatten().count();
        Report {
            travellers: self.travellers.len(),
            expected: answered - surprises.len(),
            unexpected: surprises.len(),
            unanswered: self.travellers.len() - answered,
            verdicts: self.verdicts.clone(),
            reasons: self.reasons.clone(),
            surprises,
        }
    }
}

/// The object of `--json`.
#[derive(Debug, Serialize)]
struct Report {
    travellers: usize,
    /// Who got the expected verdict for the expected reason.
    expected: usize,
    unexpected: usize,
    unanswered: usize,
    verdicts: BTreeMap<&'static str, usize>,
    reasons: BTreeMap<&'static str, usize>,
    surprises: Vec<Surprise>,
}

#[derive(Debug, Serialize)]
struct Surprise {
    who: &'static str,
    expected: &'static str,
    got: &'static str,
}

impl Report {
    fn text(&self) -> String {
        let verdicts: Vec<String> = self.verdicts.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
        let mut text =
            format!("\n{} travellers, {} as expected: {}\n", self.travellers, self.expected, verdicts.join(", "));
        for surprise in &self.surprises {
            text.push_str(&format!(
                "unexpected: {}: {} in place of {}\n",
                surprise.who, surprise.got, surprise.expected
            ));
        }
        text
    }
}

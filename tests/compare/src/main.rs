//! The eye beside the other readers, on any folder of pictures with a manifest.
//!
//! `compare FOLDER… [--empty DIR] [--hostile] [--readers a,b] [--only SET] [--repeat N] [--json] [--misses FILE] [--presentations FOLDER]`
//!
//! Every reader gets the same luma plane from memory, one after the other in this one thread, in an order that turns
//! from picture to picture; the time is the thread's CPU time, the best of N. Each stops at its first symbol.
//! zxing-cpp with all its options on is the yardstick of every ratio.
//!
//! A folder's `manifest.csv` names a picture (`file` or `path`), its set (`set` or `source`), a `category` and
//! `expected_hex`: the payload's bytes, several separated by `|` when any of them counts, none when nobody knows.

mod frames;
mod hostile;
mod presentations;
mod readers;
mod report;

use frames::Frame;
use readers::Peer;
use report::{Outcome, Row};

struct Options {
    folders: Vec<String>,
    empty: Vec<String>,
    hostile: bool,
    readers: Vec<String>,
    only: Option<String>,
    repeat: usize,
    json: bool,
    misses: Option<String>,
    presentations: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        folders: Vec::new(),
        empty: Vec::new(),
        hostile: false,
        readers: ["eye", "zxing-cpp", "rxing", "rqrr"].map(String::from).to_vec(),
        only: None,
        repeat: 1,
        json: false,
        misses: None,
        presentations: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--empty" => options.empty.push(value()?),
            "--hostile" => options.hostile = true,
            "--readers" => options.readers = value()?.split(',').map(String::from).collect(),
            "--only" => options.only = Some(value()?),
            "--repeat" => options.repeat = value()?.parse().map_err(|_| "--repeat needs a number".to_string())?,
            "--json" => options.json = true,
            "--presentations" => options.presentations = Some(value()?),
            "--misses" => options.misses = Some(value()?),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            _ => options.folders.push(arg),
        }
    }
    let pictures = !options.folders.is_empty() || !options.empty.is_empty() || options.hostile;
    if !pictures && options.presentations.is_none() {
        return Err("usage: compare FOLDER… [--empty DIR] [--hostile] [--readers a,b] [--only SET] [--repeat N] [--json] [--misses FILE] [--presentations FOLDER]".into());
    }
    Ok(options)
}

fn main() {
    let outcome = options().and_then(|options| run(&options));
    if let Err(error) = outcome {
        eprintln!("compare: {error}");
        std::process::exit(2);
    }
}

fn run(options: &Options) -> Result<(), String> {
    if let Some(folder) = &options.presentations {
        return presentations::run(folder);
    }
    let mut peers = options.readers.iter().map(|name| readers::named(name)).collect::<Result<Vec<_>, _>>()?;
    // A reader that panics is counted, and must not fill the screen.
    std::panic::set_hook(Box::new(|_| {}));
    let mut frames = Vec::new();
    for folder in &options.folders {
        frames.extend(frames::listed(folder)?);
    }
    for folder in &options.empty {
        frames.extend(frames::without_code(folder)?);
    }
    if options.hostile {
        frames.extend(hostile::frames());
    }
    if let Some(only) = &options.only {
        frames.retain(|frame| frame.set.contains(only.as_str()));
    }
    let mut rows = Vec::with_capacity(frames.len());
    for (number, frame) in frames.iter().enumerate() {
        match measure(frame, &mut peers, number, options.repeat) {
            Ok(row) => rows.push(row),
            Err(error) => eprintln!("compare: {}: {error}", frame.name),
        }
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report::as_json(&names, &rows)).map_err(|error| error.to_string())?
        );
    } else {
        report::print(&names, &rows);
    }
    if let Some(file) = &options.misses {
        std::fs::write(file, report::misses(&names, &rows)).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

fn measure(frame: &Frame, peers: &mut [Box<dyn Peer>], number: usize, repeat: usize) -> Result<Row, String> {
    let picture = frame.pixels()?;
    let mut outcomes = vec![Outcome::default(); peers.len()];
    for round in 0..repeat.max(1) {
        for step in 0..peers.len() {
            let index = (number + round + step) % peers.len();
            let (texts, time, panicked) = readers::timed(peers[index].as_mut(), &picture);
            let outcome = &mut outcomes[index];
            outcome.ms = if round == 0 { time } else { outcome.ms.min(time) };
            outcome.panicked |= panicked;
            outcome.texts = texts;
        }
    }
    for outcome in &mut outcomes {
        outcome.right = outcome.texts.iter().any(|text| frame.expected.contains(text));
    }
    Ok(Row {
        name: frame.name.clone(),
        set: frame.set.clone(),
        category: frame.category.clone(),
        kind: frame.kind,
        known: !frame.expected.is_empty(),
        pixels: picture.width() as usize * picture.height() as usize,
        height: picture.height().min(picture.width()) as usize,
        outcomes,
    })
}

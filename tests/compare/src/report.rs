//! The tables: reads by set and level, time, hostile frames, payloads that were not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::frames::Kind;

/// What one reader made of one picture.
#[derive(Clone, Default)]
pub struct Outcome {
    pub texts: Vec<Vec<u8>>,
    pub right: bool,
    pub ms: f64,
    pub panicked: bool,
}

/// One picture and what every reader made of it.
pub struct Row {
    pub name: String,
    pub set: String,
    pub category: String,
    pub kind: Kind,
    pub known: bool,
    pub pixels: usize,
    /// The shorter side.
    pub height: usize,
    pub outcomes: Vec<Outcome>,
}

/// Name of the reader that ratios refer to.
const YARDSTICK: &str = "zxing-cpp";

/// Prints every table that the rows give reason for.
pub fn print(names: &[&str], rows: &[Row]) {
    let codes: Vec<&Row> = rows.iter().filter(|row| row.kind == Kind::Code && row.known).collect();
    if !codes.is_empty() {
        print_reads(names, &codes);
        print_below(names, &codes);
    }
    print_times(names, rows);
    print_hostile(names, rows);
    print_false(names, rows);
}

fn print_reads(names: &[&str], codes: &[&Row]) {
    println!("## Read (of those whose payload is known)\n");
    println!("| set | n | any | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    let line = |label: &str, rows: &[&Row]| {
        let any = rows.iter().filter(|row| row.outcomes.iter().any(|outcome| outcome.right)).count();
        let counts: Vec<String> = (0..names.len()).map(|index| reads(rows, index).to_string()).collect();
        println!("| {label} | {} | {any} | {} |", rows.len(), counts.join(" | "));
    };
    let mut families: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for (set, rows) in by(codes, |row| row.set.clone()) {
        line(&set, &rows);
        if set.starts_with("syn-") {
            for (level, rows) in by(&rows, |row| row.category.clone()) {
                line(&format!("· {level}"), &rows);
            }
        }
        families.entry(family(&set)).or_default().extend(rows);
    }
    for (family, rows) in &families {
        line(&format!("**{family}**"), rows);
    }
    println!();
}

/// Which of the targets' three kinds of pictures a set belongs to.
fn family(set: &str) -> &'static str {
    match set {
        set if set.starts_with("syn-") => "gate frames",
        set if set.starts_with("boof-") => "BoofCV photographs",
        _ => "mixed corpus",
    }
}

fn print_below(names: &[&str], codes: &[&Row]) {
    let (Some(ours), Some(theirs)) = (place(names, "eye"), place(names, YARDSTICK)) else { return };
    let below: Vec<String> = by(codes, |row| format!("{} {}", row.set, row.category))
        .into_iter()
        .filter(|(_, rows)| reads(rows, ours) < reads(rows, theirs))
        .map(|(level, rows)| {
            format!("{level}: {} of {}, {YARDSTICK} {}", reads(&rows, ours), rows.len(), reads(&rows, theirs))
        })
        .collect();
    println!("## Sets and levels below {YARDSTICK}: {}\n", below.len());
    below.iter().for_each(|line| println!("- {line}"));
    println!();
}

fn print_times(names: &[&str], rows: &[Row]) {
    println!("## CPU ms a picture: median / p95 / max (median of the ratios to {YARDSTICK})\n");
    println!("| pictures | n | {} |", names.join(" | "));
    println!("|---|---|{}", "---|".repeat(names.len()));
    let timed: Vec<&Row> = rows.iter().filter(|row| row.kind != Kind::Hostile).collect();
    let line = |label: &str, rows: &[&Row]| {
        let cells: Vec<String> = (0..names.len()).map(|index| time_cell(names, rows, index)).collect();
        println!("| {label} | {} | {} |", rows.len(), cells.join(" | "));
    };
    let parts: [(&str, fn(&Row) -> bool); 2] =
        [("code", |row| row.kind == Kind::Code), ("no code", |row| row.kind == Kind::Empty)];
    for (label, wanted) in parts {
        let rows: Vec<&Row> = timed.iter().copied().filter(|row| wanted(row)).collect();
        for (size, rows) in by(&rows, |row| size_class(row).to_string()) {
            line(&format!("{label}, {size}"), &rows);
        }
        if !rows.is_empty() {
            line(&format!("**{label}, all**"), &rows);
        }
    }
    println!();
}

fn size_class(row: &Row) -> &'static str {
    match (row.pixels, row.height) {
        (_, 720) if row.pixels == 1280 * 720 => "720p",
        (_, 1080) if row.pixels == 1920 * 1080 => "1080p",
        (0..200_000, _) => "below 0.2 MP",
        (0..600_000, _) => "0.2–0.6 MP",
        (0..1_500_000, _) => "0.6–1.5 MP",
        _ => "above 1.5 MP",
    }
}

fn time_cell(names: &[&str], rows: &[&Row], index: usize) -> String {
    let times = sorted(rows.iter().map(|row| row.outcomes[index].ms));
    let mut cell = format!("{:.2} / {:.1} / {:.0}", at(&times, 0.5), at(&times, 0.95), at(&times, 1.0));
    if let Some(theirs) = place(names, YARDSTICK) {
        let ratios = sorted(rows.iter().map(|row| row.outcomes[index].ms / row.outcomes[theirs].ms.max(1e-6)));
        let _ = write!(cell, " (×{:.2})", at(&ratios, 0.5));
    }
    cell
}

fn print_hostile(names: &[&str], rows: &[Row]) {
    let hostile: Vec<&Row> = rows.iter().filter(|row| row.kind == Kind::Hostile).collect();
    if hostile.is_empty() {
        return;
    }
    println!("## Hostile frames, CPU ms\n\n| frame | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for row in &hostile {
        let cells: Vec<String> = row
            .outcomes
            .iter()
            .map(|outcome| format!("{:.1}{}", outcome.ms, if outcome.panicked { " panic" } else { "" }))
            .collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
    let worst = |index: usize| hostile.iter().map(|row| row.outcomes[index].ms).fold(0.0, f64::max);
    let cells: Vec<String> = (0..names.len()).map(|index| format!("**{:.1}**", worst(index))).collect();
    println!("| **worst** | {} |\n", cells.join(" | "));
}

fn print_false(names: &[&str], rows: &[Row]) {
    println!("## Payloads that were not expected\n");
    for (index, name) in names.iter().enumerate() {
        let panics = rows.iter().filter(|row| row.outcomes[index].panicked).count();
        let unexpected = unexpected(rows, index);
        let alone: Vec<&(String, bool)> = unexpected.iter().filter(|(_, alone)| *alone).collect();
        println!(
            "- {name}: {} other texts, {} of them read by nobody else; {panics} panics",
            unexpected.len(),
            alone.len()
        );
        alone.iter().for_each(|(picture, _)| println!("  - {picture}"));
    }
    println!();
}

/// Pictures in which this reader read something unexpected, and whether it alone did.
fn unexpected(rows: &[Row], index: usize) -> Vec<(String, bool)> {
    rows.iter()
        .filter(|row| !row.outcomes[index].right && !row.outcomes[index].texts.is_empty())
        .map(|row| {
            let text = &row.outcomes[index].texts[0];
            let others = row.outcomes.iter().enumerate().filter(|(other, _)| *other != index);
            let alone = !others.into_iter().any(|(_, outcome)| outcome.texts.contains(text));
            (format!("{} ({})", row.name, String::from_utf8_lossy(&text[..text.len().min(24)]).escape_debug()), alone)
        })
        .collect()
}

/// One line a picture that a peer reads and the eye does not: the picture and who reads it.
pub fn misses(names: &[&str], rows: &[Row]) -> String {
    let Some(ours) = place(names, "eye") else { return String::new() };
    let mut lines = String::new();
    for row in rows.iter().filter(|row| !row.outcomes[ours].right) {
        let who: BTreeSet<&str> =
            names.iter().zip(&row.outcomes).filter(|(_, outcome)| outcome.right).map(|(name, _)| *name).collect();
        if !who.is_empty() {
            let _ = writeln!(lines, "{}\t{}", row.name, who.into_iter().collect::<Vec<_>>().join(","));
        }
    }
    lines
}

#[derive(Serialize)]
pub struct JsonRow<'a> {
    name: &'a str,
    set: &'a str,
    category: &'a str,
    readers: BTreeMap<&'a str, JsonOutcome>,
}

#[derive(Serialize)]
struct JsonOutcome {
    right: bool,
    read: bool,
    ms: f64,
    panicked: bool,
}

/// Every picture with every reader's outcome.
pub fn as_json<'a>(names: &[&'a str], rows: &'a [Row]) -> Vec<JsonRow<'a>> {
    let outcome = |outcome: &Outcome| JsonOutcome {
        right: outcome.right,
        read: !outcome.texts.is_empty(),
        ms: outcome.ms,
        panicked: outcome.panicked,
    };
    rows.iter()
        .map(|row| JsonRow {
            name: &row.name,
            set: &row.set,
            category: &row.category,
            readers: names.iter().copied().zip(row.outcomes.iter().map(outcome)).collect(),
        })
        .collect()
}

fn reads(rows: &[&Row], index: usize) -> usize {
    rows.iter().filter(|row| row.outcomes[index].right).count()
}

fn place(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

fn by<'a>(rows: &[&'a Row], key: impl Fn(&Row) -> String) -> BTreeMap<String, Vec<&'a Row>> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which this part of them lies.
fn at(sorted: &[f64], part: f64) -> f64 {
    let index = (part * (sorted.len() as f64 - 1.0)).round();
    sorted.get(index as usize).copied().unwrap_or(0.0)
}

//! Presentations: how long it takes from when the whole code is in view until it is read, the eye's tracker beside zxing-cpp on the
//! same pictures, as `tests/frames/presentations.py` writes them.

use std::collections::BTreeMap;

use crate::{
    frames::{self, Frame},
    readers,
};

/// Milliseconds from one picture to the next.
const BETWEEN: f64 = 1000.0 / 30.0;

/// One presentation's pictures in order, each with whether the whole code is in view.
type Pictures = Vec<(usize, bool, Frame)>;

/// After how many pictures, counted from the first with the whole code, each reader read it.
#[derive(Default)]
struct Times {
    eye: Vec<Option<usize>>,
    other: Vec<Option<usize>>,
}

/// Plays every presentation of a folder to both and prints the times by strength.
pub fn run(folder: &str) -> Result<(), String> {
    let mut presentations: BTreeMap<(String, String), Pictures> = BTreeMap::new();
    for frame in frames::listed(folder)? {
        let mut parts = frame.category.split(':');
        let (Some(which), Some(number), Some(whole)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("{}: no presentation's picture", frame.name));
        };
        let number = number.parse().map_err(|_| format!("{}: no number", frame.name))?;
        let (key, whole) = ((frame.set.clone(), which.to_string()), whole == "1");
        presentations.entry(key).or_default().push((number, whole, frame));
    }
    let mut by_strength: BTreeMap<String, Times> = BTreeMap::new();
    for ((strength, _), mut pictures) in presentations {
        pictures.sort_by_key(|(number, ..)| *number);
        let times = by_strength.entry(strength).or_default();
        let (eye, other) = play(&pictures)?;
        times.eye.push(eye);
        times.other.push(other);
    }
    println!("## Milliseconds from the whole code in view until it is read: p50 / p95, and never\n");
    println!("| presentations | n | eye | zxing-cpp |\n|---|---|---|---|");
    let mut all = Times::default();
    for (strength, times) in by_strength {
        println!("| {strength} | {} | {} | {} |", times.eye.len(), cell(&times.eye), cell(&times.other));
        all.eye.extend(times.eye);
        all.other.extend(times.other);
    }
    println!("| **all** | {} | {} | {} |", all.eye.len(), cell(&all.eye), cell(&all.other));
    Ok(())
}

/// After how many pictures the eye and the other read it. Before the whole code is in view nothing counts, but the tracker sees it.
fn play(pictures: &Pictures) -> Result<(Option<usize>, Option<usize>), String> {
    let mut tracker = eye::track::Tracker::new();
    let mut other = readers::named("zxing-cpp")?;
    let (mut by_eye, mut by_other, mut first) = (None, None, None);
    for (number, whole, frame) in pictures {
        let picture = frame.pixels()?;
        if *whole {
            first.get_or_insert(*number);
        }
        let luma = eye::Luma::new(picture.as_raw(), picture.width() as usize, picture.height() as usize)
            .map_err(|error| error.to_string())?;
        let seen = tracker.see(luma).symbols.into_iter().any(|symbol| frame.expected.contains(&symbol.payload));
        let Some(first) = first else { continue };
        if seen {
            by_eye.get_or_insert(number - first);
        }
        if by_other.is_none()
            && readers::timed(other.as_mut(), &picture).0.iter().any(|text| frame.expected.contains(text))
        {
            by_other = Some(number - first);
        }
        if by_eye.is_some() && by_other.is_some() {
            break;
        }
    }
    Ok((by_eye, by_other))
}

/// Of all, those that are never read counting as the longest.
fn cell(times: &[Option<usize>]) -> String {
    let mut sorted: Vec<usize> = times.iter().map(|time| time.unwrap_or(usize::MAX)).collect();
    sorted.sort_unstable();
    let at = |part: f64| match sorted.get((part * (sorted.len() as f64 - 1.0)).round() as usize) {
        Some(&pictures) if pictures < usize::MAX => format!("{:.0}", pictures as f64 * BETWEEN),
        _ => "never".into(),
    };
    let never = times.iter().filter(|time| time.is_none()).count();
    format!("{} / {}, never {never}", at(0.5), at(0.95))
}

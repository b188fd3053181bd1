//! Whether a program printed what a document says.
//!
//! What differs from run to run is not compared: moments, identities, digests, durations, local ports, and blanks between words. `…` stands for anything: alone on
//! its line for any number of lines, inside a line for any number of words, behind a word's beginning for its end.

/// The first line of the sample that does not hold, and what stands in its place.
pub fn difference(sample: &[String], printed: &str) -> Option<String> {
    let sample: Vec<&str> = sample.iter().map(|line| line.trim_end()).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let end = |lines: &[&str]| lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let (sample, printed) = (&sample[..end(&sample)], &printed[..end(&printed)]);
    let mut deepest = 0;
    if lines_hold(sample, printed, 0, &mut deepest) {
        return None;
    }
    let expected = sample.get(deepest).copied().unwrap_or("the end");
    Some(format!("line {} of the sample does not hold: {expected}\nprinted:\n{}", deepest + 1, printed.join("\n")))
}

/// `at` lines of the sample hold already; the deepest place that was reached is remembered for the message.
fn lines_hold(sample: &[&str], printed: &[&str], at: usize, deepest: &mut usize) -> bool {
    *deepest = at.max(*deepest);
    match (sample.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => {
            (0..=printed.len()).any(|skipped| lines_hold(rest, &printed[skipped..], at + 1, deepest))
        }
        (Some((line, sample)), Some((found, printed))) => {
            line_holds(line, found) && lines_hold(sample, printed, at + 1, deepest)
        }
        _ => false,
    }
}

fn line_holds(sample: &str, printed: &str) -> bool {
    words_hold(&masked(sample), &masked(printed))
}

fn words_hold(sample: &[String], printed: &[String]) -> bool {
    match (sample.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((word, rest)), _) if word == "…" => {
            (0..=printed.len()).any(|passed| words_hold(rest, &printed[passed..]))
        }
        (Some((word, sample)), Some((found, printed))) => {
            let holds = word == found || word.strip_suffix('…').is_some_and(|begin| found.starts_with(begin));
            holds && words_hold(sample, printed)
        }
        _ => false,
    }
}

/// The words of a line, with a name in the place of what differs from run to run.
fn masked(line: &str) -> Vec<String> {
    let mut words: Vec<String> = line.split_whitespace().map(mask).collect();
    for place in 1..words.len() {
        let unit = words[place].trim_end_matches([',', ';', '.']);
        if ["ms", "µs", "s", "bytes", "MiB", "KiB"].contains(&unit) && words[place - 1].parse::<f64>().is_ok() {
            words[place - 1] = "<number>".to_owned();
        }
    }
    words
}

/// Parts of a word that are a moment, an identity, a digest or a duration.
fn mask(word: &str) -> String {
    let mut masked = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (moment, identity, digits) = (
            run(|c| c.is_ascii_digit() || "-:.TZ".contains(c)),
            run(|c| c.is_ascii_hexdigit() || c == '-'),
            run(|c| c.is_ascii_hexdigit()),
        );
        let number = run(|c| c.is_ascii_digit() || c == '.');
        let unit = ["ms", "µs", "s"].iter().find(|unit| number > 0 && rest[number..] == ***unit);
        let (name, length) = if masked.ends_with("127.0.0.1:") && number > 0 {
            ("<port>", number)
        } else if moment >= 20 && rest[..moment].contains('T') {
            ("<moment>", moment)
        } else if identity == 36 && rest[..identity].matches('-').count() == 4 {
            ("<identity>", identity)
        } else if digits >= 16 {
            ("<digest>", digits)
        } else if unit.is_some() {
            ("<duration>", rest.len())
        } else {
            // A run is masked as a whole or not at all, never from its middle.
            let length = digits.max(number).max(first.len_utf8());
            masked.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        };
        masked.push_str(name);
        rest = &rest[length..];
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(sample: &str, printed: &str) -> bool {
        difference(&sample.lines().map(str::to_owned).collect::<Vec<_>>(), printed).is_none()
    }

    #[test]
    fn moments_identities_digests_and_durations_may_differ_and_nothing_else() {
        let sample = "2026-11-24T12:24:14.382Z  1  entry  refuse  1 ms  01a20d83-8b2e-7eb8-85f2-984d6cb3bdc6";
        assert!(holds(sample, "2027-01-02T03:04:05Z 1 entry  refuse 12 ms 01a20d83-0000-7eb8-85f2-984d6cb3bdc6\n"));
        assert!(!holds(sample, "2027-01-02T03:04:05Z 2 entry  refuse 12 ms 01a20d83-0000-7eb8-85f2-984d6cb3bdc6\n"));
        assert!(!holds(sample, "2027-01-02T03:04:05Z 1 entry  admit 12 ms 01a20d83-0000-7eb8-85f2-984d6cb3bdc6\n"));
        assert!(
            holds("a row is safe within 750.9µs", "a row is safe within 1.2ms"),
            "of durations the unit may differ, too"
        );
        assert!(holds("- key 440000 1f0c5ad1e3a57dd9 Active", "- key 440000 00005ad1e3a57dd9 Active"));
        assert!(!holds("generation 1 of 440000", "generation 2 of 440000"));
        assert!(!holds("2 list(s) cover 2000000 codes", "2 list(s) cover 3000000 codes"));
    }

    #[test]
    fn an_ellipsis_stands_for_lines_for_words_or_for_the_end_of_a_word() {
        assert!(holds("a\n…\nd", "a\nb\nc\nd\n"));
        assert!(holds("a\n…", "a\n"));
        assert!(holds("keys of 1d9c58fc8ed0bc79, … back", "keys of 2d9c58fc8ed0bc79, 3333 back"));
        assert!(holds("keys …", "keys of mine"));
        assert!(holds("keys of…", "keys off"));
        assert!(!holds("keys … back", "keys of mine"));
        assert!(!holds("a\n…\nd", "a\nb\nc\n"));
        assert!(!holds("a", "a\nb\n"));
        assert!(!holds("a\nb", "a\n"));
    }
}

//! The values a screen can show. No payload, name or document number fits in any of them.

use lane::screen::Hint;
use std::collections::BTreeMap;

use serde::Serialize;

/// One line of the calm band below the screen: a degraded state and the fact behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DegradedState {
    /// The stable code; the page has the words and what to do.
    pub code: &'static str,
    /// The fact: which province, how old, which file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A small picture for aiming, in luma, and where a symbol was found in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// One byte a pixel, rows from the top, in Base64.
    pub luma: String,
    /// The symbol's corners as parts of width and height, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outline: Option<[[f32; 2]; 4]>,
    /// What would help the reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

/// How this lane stands to its travellers besides its state: what they may do where it cannot help them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Besides {
    /// Other lanes that judge.
    pub lanes: Vec<String>,
    /// Whether this device admits nobody at the moment, so that nobody is asked to show a code.
    pub refers_everybody: bool,
}

/// The first thing a page hears: where it is, in which languages, and of which build the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hello {
    /// Lane and checkpoint as people call them.
    pub place: String,
    /// The lane's languages, the large one first.
    pub languages: Vec<String>,
    /// Whether the screen sounds at all.
    pub sound: bool,
    /// Whether it ticks when a code is seen, before the verdict.
    pub read_cue: bool,
    /// Whether a refusal looks and sounds to bystanders like a referral.
    pub discreet: bool,
    /// What the site recorded, to be spoken: [`crate::voice::Voice::names`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub voice: Vec<String>,
    /// What the second line's desk is called here, by language; the page's own word where a language is missing.
    pub desk: BTreeMap<String, String>,
    /// On which side of the screen it is: `left`, `right`, `ahead` or `behind`; nothing where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desk_side: Option<&'static str>,
    /// Changes with each build, so that an open page reloads itself.
    pub build: &'static str,
}

#[cfg(test)]
mod tests {
    use lane::screen::{Attention, LaneState};
    use trustlist::{configuration::Refusal, verdict::Reason};

    use super::*;
    use crate::strings::Strings;

    #[test]
    fn every_reason_verdict_hint_and_state_has_its_words_in_every_language() {
        let strings = Strings::built_in();
        let code = |value: serde_json::Value| value.as_str().expect("a code").to_owned();
        let mut wanted: Vec<String> = Vec::new();
        for reason in Reason::ALL {
            wanted.extend([format!("why.{reason}"), format!("next.{reason}"), format!("verdict.{}", reason.verdict())]);
        }
        for hint in [
            Hint::HoldStill,
            Hint::Closer,
            Hint::TooBright,
            Hint::TooDark,
            Hint::NotAPassCode,
            Hint::ShowOne,
            Hint::AlreadyShown,
        ] {
            wanted.push(format!("hint.{}", code(serde_json::to_value(hint).expect("serialises"))));
        }
        for attention in [Attention::StuckMedia, Attention::CameraLost, Attention::Fire] {
            wanted.push(format!("attention.{}", code(serde_json::to_value(attention).expect("serialises"))));
        }
        for outcome in ["taken", "not-applied"].into_iter().chain(Refusal::ALL.map(Refusal::code)) {
            wanted.push(format!("configured.{outcome}"));
        }
        for state in [LaneState::Idle, LaneState::Reading, LaneState::Closed] {
            wanted.push(format!("state.{}", code(serde_json::to_value(state).expect("serialises")["kind"].take())));
        }
        for key in &wanted {
            assert!(
                strings.word("en", key).is_some(),
                "there are no words for {key}; the other languages have the same keys"
            );
        }
    }

    #[test]
    fn the_reason_is_said_in_at_most_five_english_words() {
        let strings = Strings::built_in();
        for reason in Reason::ALL {
            let why = strings.word("en", &format!("why.{reason}")).expect("words");
            assert!(why.split_whitespace().count() <= 5, "{reason}: {why}");
        }
    }
}

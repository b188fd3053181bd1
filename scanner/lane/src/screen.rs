//! What a lane shows a traveller, as values: one state fills the screen, lights and sounder follow it. No payload, name or document
//! number fits in any of them; the words of each state are the page's.

use serde::Serialize;
use trustlist::verdict::{Reason, Verdict};

/// What fills the lane screen now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LaneState {
    /// Waiting for a traveller; the aiming preview is live.
    Idle,
    /// A pass code was seen and is being judged: the read cue, which is not the verdict cue.
    Reading,
    /// The verdict.
    Verdict {
        /// What the lane does.
        verdict: Verdict,
        /// Why; the page has the words.
        reason: Reason,
        /// A suspension's notice number and dates. Facts of the list, not of the person.
        #[serde(skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
        /// The other code that a suspension lets travellers show.
        #[serde(skip_serializing_if = "Option::is_none")]
        instead: Option<String>,
        /// The number by which the second line calls whoever was not admitted.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<String>,
    },
    /// A gentle hint to the traveller.
    Hint {
        /// Which.
        hint: Hint,
    },
    /// Something that a member of staff must put right; the lane stays usable.
    Attention {
        /// What.
        hint: Attention,
    },
    /// An installer showed a configuration code.
    Configured {
        /// `taken`, `not-applied`, or the code of a [`trustlist::configuration::Refusal`].
        outcome: &'static str,
    },
    /// The lane does not take travellers.
    Closed,
}

/// A hint to the traveller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hint {
    /// The picture is blurred by motion or focus.
    HoldStill,
    /// The symbol is too small to read.
    Closer,
    /// Blown out.
    TooBright,
    /// Too little light.
    TooDark,
    /// A symbol was read and it is a bus ticket, a web link or the like.
    NotAPassCode,
    /// Two different pass codes are in view.
    ShowOne,
    /// This code had its verdict a moment ago.
    AlreadyShown,
}

/// What staff must put right at the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// The same symbol has been in view for a minute: a sticker, or a phone left on the glass.
    StuckMedia,
    /// No frame arrives.
    CameraLost,
    /// The fire or egress input holds the gate open.
    Fire,
}

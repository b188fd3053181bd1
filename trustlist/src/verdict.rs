//! The closed set of answers: three verdicts, and the reasons behind them with stable codes.
//!
//! Rows outlive releases, so a code once used keeps its meaning for ever.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// What the lane does with the traveller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The gate opens.
    Admit,
    /// A human looks: the second line.
    Refer,
    /// The gate stays closed.
    Refuse,
}

impl Verdict {
    /// The stable word for rows, pages and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Refer => "refer",
            Self::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Who must act for the next scan to end better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Nobody: the traveller was admitted.
    Nobody,
    /// The traveller, with a newer or another code.
    Bearer,
    /// Whoever made or changed the code.
    Forger,
    /// The province or platform that issued it.
    Issuer,
    /// This device, or whoever looks after it.
    Device,
}

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $code:literal, $actor:ident, $verdict:ident;)+) => {
        /// Why. The verdict is the one a reason has unless a policy profile says stricter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of the specification.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// The stable code for rows, pages and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// Who must act.
            #[must_use]
            pub const fn actor(self) -> Actor {
                match self { $(Self::$name => Actor::$actor),+ }
            }

            /// The verdict when the policy profile has nothing stricter to say.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict),+ }
            }
        }
    };
}

reasons! {
    /// Everything holds.
    Ok = "ok", Nobody, Admit;
    /// Everything holds, by lists that are past fresh but within grace.
    OkGrace = "ok-grace", Nobody, Admit;
    /// The code's validity is over.
    Expired = "expired", Bearer, Refuse;
    /// The code's validity has not begun.
    NotYetValid = "not-yet-valid", Bearer, Refuse;
    /// The issuer's status list revokes the code.
    Revoked = "revoked", Bearer, Refuse;
    /// The health statement is red.
    ColourRed = "colour-red", Bearer, Refuse;
    /// The health statement is yellow.
    ColourYellow = "colour-yellow", Bearer, Refer;
    /// The itinerary names a listed risk area.
    RiskArea = "risk-area", Bearer, Refer;
    /// The code is older than the policy profile accepts.
    CodeTooOld = "code-too-old", Bearer, Refer;
    /// The issuer's status list suspends the code.
    StatusSuspended = "status-suspended", Bearer, Refer;
    /// The code was admitted here before, within the anti-passback window.
    AlreadyUsed = "already-used", Bearer, Refer;
    /// The text claims to be a pass code and cannot be one.
    Malformed = "malformed", Forger, Refuse;
    /// No key that matches made this signature.
    BadSignature = "bad-signature", Forger, Refuse;
    /// The message names another algorithm than the list pins to the key.
    AlgorithmMismatch = "algorithm-mismatch", Forger, Refuse;
    /// The key is good, but may not speak for this region or kind of code.
    IssuerOutOfScope = "issuer-out-of-scope", Forger, Refuse;
    /// No list names the issuer.
    UnknownIssuer = "unknown-issuer", Issuer, Refuse;
    /// The issuer's fresh list has no such key.
    UnknownKey = "unknown-key", Issuer, Refuse;
    /// The key was retired before the code was issued.
    KeyRetired = "key-retired", Issuer, Refuse;
    /// The key was revoked.
    KeyRevoked = "key-revoked", Issuer, Refuse;
    /// The code was signed with a key whose own validity has not begun.
    KeyNotYetValid = "key-not-yet-valid", Issuer, Refuse;
    /// No arrangement makes this region's codes count here.
    NotRecognised = "not-recognised", Issuer, Refuse;
    /// An arrangement exists, and the code lacks what it asks for.
    NotVouched = "not-vouched", Issuer, Refuse;
    /// Recognition is suspended, by notice.
    RecognitionSuspended = "recognition-suspended", Issuer, Refer;
    /// This device holds no list of the issuer.
    ListMissing = "list-missing", Device, Refer;
    /// The issuer's list is too old for this decision.
    ListStale = "list-stale", Device, Refer;
    /// The issuer is known and the key is not, and our list is not fresh.
    KeyNewerThanList = "key-newer-than-list", Device, Refer;
    /// The status shard is missing, or does not reach the code's index.
    StatusUnknown = "status-unknown", Device, Refer;
    /// The clock is below its floor.
    ClockUntrusted = "clock-untrusted", Device, Refer;
    /// The scan row cannot be written.
    LogUnavailable = "log-unavailable", Device, Refer;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// The text is no reason code of this release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAReason;

impl fmt::Display for NotAReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a reason code")
    }
}

impl std::error::Error for NotAReason {}

impl FromStr for Reason {
    type Err = NotAReason;

    fn from_str(code: &str) -> Result<Self, NotAReason> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code).ok_or(NotAReason)
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_again_by_its_code() {
        for reason in Reason::ALL {
            assert_eq!(reason.code().parse(), Ok(*reason));
        }
        assert_eq!("because".parse::<Reason>(), Err(NotAReason));
    }

    #[test]
    fn what_the_device_does_not_know_refers_and_what_a_forger_did_refuses() {
        for reason in Reason::ALL {
            match reason.actor() {
                Actor::Nobody => assert_eq!(reason.verdict(), Verdict::Admit, "{reason}"),
                Actor::Device => assert_eq!(reason.verdict(), Verdict::Refer, "{reason}"),
                Actor::Forger => assert_eq!(reason.verdict(), Verdict::Refuse, "{reason}"),
                Actor::Bearer | Actor::Issuer => assert_ne!(reason.verdict(), Verdict::Admit, "{reason}"),
            }
        }
    }
}

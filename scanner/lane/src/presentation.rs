//! From what was read to what the lane's state machine is told: which symbols, what they claim to be, how far from the aim point. Pure.
//!
//! Each text is parsed once: what came of it is handed to the judge, and of symbols that stay in view only what they claim is remembered.

use std::{collections::HashMap, time::Duration};

use eye::Symbol;
use sha2::{Digest, Sha256};
use trustlist::{
    code::{Envelope, ParseError},
    configuration,
};

use crate::{
    machine::{Claim, SymbolId, VisibleSymbol},
    text::Text,
};

/// What a symbol in view claims is forgotten when it was not seen for so long.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// Symbols of which that is remembered. A wall of codes cannot make the memory grow.
const MAX_REMEMBERED: usize = 256;

/// The point travellers are asked to hold their code at, as parts of the picture's width and height from its top left; 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// What came of parsing a text.
pub type Parsed = Result<Envelope, ParseError>;

/// The symbols of one look, with the meaning of those that are pass codes.
///
/// Texts and envelopes live as long as the look: nothing keeps one.
#[derive(Default)]
pub struct Presentation {
    seen: Vec<VisibleSymbol>,
    codes: Vec<Code>,
    configuration: Option<(SymbolId, String)>,
    wrapped: bool,
}

/// Something that claims to be a pass code.
struct Code {
    id: SymbolId,
    text: String,
    /// What it is; not known again of a symbol that stays in view.
    parsed: Option<Parsed>,
}

/// What the symbols of the last looks claim, by the digests of what was read. No text.
#[derive(Debug, Default)]
pub struct Known(HashMap<SymbolId, KnownSymbol>);

#[derive(Clone, Copy, Debug)]
struct KnownSymbol {
    claim: Claim,
    last: Duration,
}

impl Known {
    fn recall(&mut self, id: SymbolId, now: Duration) -> Option<Claim> {
        let known = self.0.get_mut(&id)?;
        known.last = now;
        Some(known.claim)
    }

    fn remember(&mut self, id: SymbolId, claim: Claim, now: Duration) {
        self.0.retain(|_, known| now.saturating_sub(known.last) < FORGET_AFTER);
        if self.0.len() >= MAX_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(id, KnownSymbol { claim, last: now });
    }
}

impl Presentation {
    /// What a picture of this size shows around the aim point, up to `radius` of the way to the corner farthest from it.
    pub fn in_picture(
        symbols: Vec<Symbol>,
        (width, height): (usize, usize),
        aim: Aim,
        radius: f64,
        (known, now): (&mut Known, Duration),
    ) -> Presentation {
        let (width, height) = (width as f64, height as f64);
        let farthest = (aim.x.max(1.0 - aim.x) * width).hypot(aim.y.max(1.0 - aim.y) * height);
        let mut presentation = Presentation::default();
        for symbol in symbols {
            let centre = symbol.center();
            let away = (f64::from(centre.x) - aim.x * width).hypot(f64::from(centre.y) - aim.y * height);
            let distance = away / farthest;
            if distance <= radius {
                presentation.add(&symbol.payload, distance as f32, Some((known, now)));
            }
        }
        presentation
    }

    /// What a scan engine read: it has no place in a picture, so it is where it should be.
    pub fn of_engine(payload: &[u8]) -> Presentation {
        let mut presentation = Presentation::default();
        presentation.add(payload, 0.0, None);
        presentation
    }

    fn add(&mut self, payload: &[u8], distance: f32, known: Option<(&mut Known, Duration)>) {
        let Some(text) = Text::of(payload) else {
            self.seen.push(VisibleSymbol { id: digest(payload), claim: Claim::Nothing, distance });
            return;
        };
        self.wrapped |= text.is_corrected();
        let id = digest(text.as_str().as_bytes());
        // An installer's code is no traveller's: the lane does not hear of it.
        if configuration::claimed_by(text.as_str()) {
            self.configuration = Some((id, text.into_string()));
            return;
        }
        let (claim, parsed) = match known {
            None => parse(&text),
            Some((known, now)) => match known.recall(id, now) {
                Some(claim) => (claim, None),
                None => {
                    let (claim, parsed) = parse(&text);
                    known.remember(id, claim, now);
                    (claim, parsed)
                }
            },
        };
        self.seen.push(VisibleSymbol { id, claim, distance });
        if claim != Claim::Nothing {
            self.codes.push(Code { id, text: text.into_string(), parsed });
        }
    }

    /// For the state machine.
    pub fn seen(&self) -> &[VisibleSymbol] {
        &self.seen
    }

    /// Whether any text had something around it that was taken off.
    pub fn was_wrapped(&self) -> bool {
        self.wrapped
    }

    /// A configuration code of this look.
    pub fn configuration(&self) -> Option<(SymbolId, &str)> {
        self.configuration.as_ref().map(|(id, text)| (*id, text.as_str()))
    }

    /// What a pass code of this look is, for the judge: as it was parsed.
    pub fn take(&mut self, id: SymbolId) -> Option<Parsed> {
        let code = self.codes.iter_mut().find(|code| code.id == id)?;
        Some(code.parsed.take().unwrap_or_else(|| Envelope::parse(&code.text)))
    }
}

/// What a text claims to be, and what came of parsing it.
fn parse(text: &Text) -> (Claim, Option<Parsed>) {
    let parsed = Envelope::parse(text.as_str());
    let claim = match &parsed {
        Ok(_) => Claim::PassCode,
        Err(ParseError::Malformed { .. }) => Claim::Malformed,
        Err(ParseError::NotAPassCode) => Claim::Nothing,
    };
    (claim, Some(parsed))
}

fn digest(bytes: &[u8]) -> SymbolId {
    Sha256::digest(bytes)[..16].try_into().expect("a digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use eye::{EcLevel, Point, Version};

    use super::*;
    use crate::vector::PASS;

    fn symbol(payload: &[u8], x: f32, y: f32) -> Symbol {
        Symbol {
            payload: payload.to_vec(),
            corners: [Point::new(x, y); 4],
            version: Version::Model2(2),
            ec_level: EcLevel::M,
            mirrored: false,
            inverted: false,
            structured_append: None,
            eci: None,
        }
    }

    const CENTRE: Aim = Aim { x: 0.5, y: 0.5 };

    fn seen(payloads: &[&[u8]], known: &mut Known, millis: u64) -> Presentation {
        let symbols = payloads.iter().map(|payload| symbol(payload, 640.0, 360.0)).collect();
        Presentation::in_picture(symbols, (1280, 720), CENTRE, 1.0, (known, Duration::from_millis(millis)))
    }

    fn claim(text: &str) -> Claim {
        Presentation::of_engine(text.as_bytes()).seen()[0].claim
    }

    #[test]
    fn all_of_the_picture_counts_with_radius_one_and_less_of_it_with_less_wherever_the_aim_point_is() {
        let counts = |(x, y): (f32, f32), aim: Aim, radius| {
            let symbols = vec![symbol(b"MR1:NOTHING", x, y)];
            let mut known = Known::default();
            let told = Presentation::in_picture(symbols, (1280, 720), aim, radius, (&mut known, Duration::ZERO));
            !told.seen().is_empty()
        };
        let corner = Aim { x: 0.0, y: 0.0 };
        assert!(counts((1280.0, 720.0), CENTRE, 1.0));
        assert!(counts((1280.0, 720.0), corner, 1.0), "the farthest corner of all");
        assert!(!counts((1280.0, 720.0), corner, 0.95));
        assert!(counts((640.0, 360.0), corner, 0.55) && !counts((640.0, 360.0), corner, 0.45));
    }

    #[test]
    fn only_what_parses_as_an_envelope_claims_to_be_a_pass_code() {
        assert_eq!(claim(PASS), Claim::PassCode);
        for text in ["MR1:A", "MR1:NOTHING", "HC1:", "NZCP:/1/A", "mr1:a"] {
            assert_eq!(claim(text), Claim::Malformed, "{text}");
        }
        for text in ["https://bus.example/t/1", "", "MR2:A", "\r\n"] {
            assert_eq!(claim(text), Claim::Nothing, "{text}");
        }
        assert_eq!(Presentation::of_engine(b"MR1:\xff").seen()[0].claim, Claim::Nothing, "no text");
    }

    #[test]
    fn the_same_code_is_the_same_symbol_whatever_was_around_it_and_whichever_input_read_it() {
        let code = PASS;
        let plain = Presentation::of_engine(code.as_bytes()).seen()[0];
        let wrapped = [
            format!("{code}\r\n"),
            format!("\u{2}{code}\u{3}"),
            format!("]Q3{code}"),
            format!("\u{feff}{code} "),
            code.to_ascii_lowercase(),
        ];
        for text in wrapped {
            let by_engine = Presentation::of_engine(text.as_bytes());
            assert!(by_engine.was_wrapped());
            assert_eq!((by_engine.seen()[0].id, by_engine.seen()[0].claim), (plain.id, Claim::PassCode), "{text:?}");
            let by_camera = seen(&[text.as_bytes()], &mut Known::default(), 0).seen()[0];
            assert_eq!((by_camera.id, by_camera.claim), (plain.id, Claim::PassCode), "{text:?}");
        }
    }

    #[test]
    fn a_symbol_that_stays_in_view_is_parsed_once_and_its_meaning_can_be_had_whenever_it_is_asked_for() {
        let code = PASS;
        let mut known = Known::default();
        let mut first = seen(&[code.as_bytes()], &mut known, 0);
        let id = first.seen()[0].id;
        assert!(first.codes[0].parsed.is_some(), "parsed when it came");
        assert!(first.take(id).is_some_and(|parsed| parsed.is_ok()));
        let mut later = seen(&[code.as_bytes(), b"https://bus.example/t/1"], &mut known, 33);
        assert!(later.codes[0].parsed.is_none(), "not again");
        assert_eq!((later.seen()[0].id, later.seen()[0].claim), (id, Claim::PassCode));
        assert!(later.take(id).is_some_and(|parsed| parsed.is_ok()), "unless the judge asks");
        assert!(later.take(later.seen()[1].id).is_none() && later.take([0; 16]).is_none());
    }

    #[test]
    fn a_wall_of_codes_makes_no_memory_grow_and_what_is_gone_is_forgotten() {
        let mut known = Known::default();
        let wall: Vec<String> = (0..2000).map(|n| format!("MR1:{n}")).collect();
        seen(&wall.iter().map(String::as_bytes).collect::<Vec<_>>(), &mut known, 0);
        assert!(known.0.len() <= MAX_REMEMBERED);
        seen(&[b"MR1:A"], &mut known, 6000);
        assert_eq!(known.0.len(), 1);
    }

    #[test]
    fn a_configuration_code_is_neither_a_travellers_nor_a_bus_ticket() {
        for text in ["MRC1:NOTHING", "MRC1:NOTHING\n", "]Q1MRC1:NOTHING"] {
            let shown = Presentation::of_engine(text.as_bytes());
            assert!(shown.seen().is_empty());
            assert_eq!(shown.configuration().map(|(_, text)| text), Some("MRC1:NOTHING"));
        }
    }
}

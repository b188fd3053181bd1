//! From what the eye read to what the lane's state machine is told: which symbols, whether they claim to be pass codes, how far
//! from the aim point. Pure.

use eye::Symbol;
use sha2::{Digest, Sha256};
use trustlist::{
    code::{Envelope, ParseError},
    configuration,
};

use crate::machine::{SymbolId, VisibleSymbol};

/// The point travellers are asked to hold their code at, as parts of the picture's width and height from its top left; 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// The symbols of one look, with the texts of those that are pass codes.
///
/// Texts live as long as the look: nothing keeps one.
#[derive(Default)]
pub struct Presentation {
    seen: Vec<VisibleSymbol>,
    texts: Vec<(SymbolId, String)>,
    configuration: Option<(SymbolId, String)>,
}

impl Presentation {
    /// What a picture of this size shows around the aim point, up to `radius` of the way to the corner farthest from it.
    pub fn in_picture(symbols: Vec<Symbol>, (width, height): (usize, usize), aim: Aim, radius: f64) -> Presentation {
        let (width, height) = (width as f64, height as f64);
        let farthest = (aim.x.max(1.0 - aim.x) * width).hypot(aim.y.max(1.0 - aim.y) * height);
        let mut presentation = Presentation::default();
        for symbol in symbols {
            let centre = symbol.center();
            let away = (f64::from(centre.x) - aim.x * width).hypot(f64::from(centre.y) - aim.y * height);
            let distance = away / farthest;
            if distance <= radius {
                presentation.add(symbol.payload, distance as f32);
            }
        }
        presentation
    }

    /// A text from a scan engine: it has no place in a picture, so it is where it should be.
    pub fn text(text: String) -> Presentation {
        let mut presentation = Presentation::default();
        presentation.add(text.into_bytes(), 0.0);
        presentation
    }

    fn add(&mut self, payload: Vec<u8>, distance: f32) {
        let digest = Sha256::digest(&payload);
        let id: SymbolId = digest[..16].try_into().expect("a digest has 32 bytes");
        let text = String::from_utf8(payload).ok();
        // An installer's code is no traveller's: the lane does not hear of it.
        if text.as_deref().is_some_and(configuration::claimed_by) {
            self.configuration = text.map(|text| (id, text));
            return;
        }
        let text = text.filter(|text| !matches!(Envelope::parse(text), Err(ParseError::NotAPassCode)));
        self.seen.push(VisibleSymbol { id, pass_code: text.is_some(), distance });
        self.texts.extend(text.map(|text| (id, text)));
    }

    /// For the state machine.
    pub fn seen(&self) -> &[VisibleSymbol] {
        &self.seen
    }

    /// A configuration code of this look.
    pub fn configuration(&self) -> Option<(SymbolId, &str)> {
        self.configuration.as_ref().map(|(id, text)| (*id, text.as_str()))
    }

    /// The text of a pass code of this look.
    pub fn text_of(&self, id: SymbolId) -> Option<&str> {
        self.texts.iter().find(|(other, _)| *other == id).map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use eye::{EcLevel, Point, Version};

    use super::*;

    #[test]
    fn all_of_the_picture_counts_with_radius_one_and_less_of_it_with_less_wherever_the_aim_point_is() {
        let at = |x: f32, y: f32| Symbol {
            payload: b"MR1:NOTHING".to_vec(),
            corners: [Point::new(x, y); 4],
            version: Version::Model2(2),
            ec_level: EcLevel::M,
            mirrored: false,
            inverted: false,
            structured_append: None,
            eci: None,
        };
        let counts = |symbol, aim: Aim, radius| {
            !Presentation::in_picture(vec![symbol], (1280, 720), aim, radius).seen().is_empty()
        };
        let (centre, corner) = (Aim { x: 0.5, y: 0.5 }, Aim { x: 0.0, y: 0.0 });
        assert!(counts(at(1280.0, 720.0), centre, 1.0));
        assert!(counts(at(1280.0, 720.0), corner, 1.0), "the farthest corner of all");
        assert!(!counts(at(1280.0, 720.0), corner, 0.95));
        assert!(counts(at(640.0, 360.0), corner, 0.55) && !counts(at(640.0, 360.0), corner, 0.45));
    }

    #[test]
    fn a_pass_code_is_told_from_a_bus_ticket_by_its_prefix_even_when_it_is_broken() {
        let told = |text: &str| Presentation::text(text.to_owned()).seen()[0].pass_code;
        assert!(told("MR1:NOTHING"));
        assert!(told("HC1:"));
        assert!(!told("https://bus.example/t/1"));
        assert!(!told(""));
    }

    #[test]
    fn a_configuration_code_is_neither_a_travellers_nor_a_bus_ticket() {
        let shown = Presentation::text("MRC1:NOTHING".to_owned());
        assert!(shown.seen().is_empty());
        assert_eq!(shown.configuration().map(|(_, text)| text), Some("MRC1:NOTHING"));
    }

    #[test]
    fn the_text_can_be_had_for_a_pass_code_only() {
        let ticket = Presentation::text("https://bus.example/t/1".to_owned());
        assert_eq!(ticket.text_of(ticket.seen()[0].id), None);
        let code = Presentation::text("MR1:NOTHING".to_owned());
        assert_eq!(code.text_of(code.seen()[0].id), Some("MR1:NOTHING"));
        assert_eq!(code.text_of([0; 16]), None);
    }
}

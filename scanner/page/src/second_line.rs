//! The cards of the second line's page: one for each traveller who was referred or refused, until somebody has dealt with it.
//!
//! Lanes put cards on the board, the page takes them off; both hold its lock for a copy and never while they wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lane::second_line::{Number, SecondLine};
use serde::{Deserialize, Serialize};
use trustlist::{
    lists::Names,
    verdict::{Reason, Verdict},
};

/// What an officer needs to know of one traveller: the row's facts in full, and nothing of the person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    /// The row.
    pub scan: uuid::Uuid,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// At which lane.
    pub lane: String,
    /// What the lane did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Whose list counted, once a signature proved the issuer.
    pub issuer: Option<String>,
    /// That region as people call it.
    pub issuer_names: Option<Names>,
    /// How old that list was, in seconds.
    pub list_age_s: Option<i64>,
    /// A suspension's notice and dates.
    pub notice: Option<String>,
    /// The other code that it lets travellers show.
    pub instead: Option<String>,
}

/// A card with the number that its traveller was shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumberedCard {
    /// The short number.
    pub number: String,
    /// The card.
    #[serde(flatten)]
    pub card: Card,
}

/// Everybody who waits, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The checkpoint.
    pub place: String,
    /// A card each.
    pub cards: Vec<NumberedCard>,
}

/// A traveller at the second line has been dealt with; the verdict stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealtWith {
    /// The scan, as the card names it.
    pub scan: uuid::Uuid,
}

/// The board that lanes and page share; clones are the same board.
#[derive(Clone, Debug)]
pub struct SecondLineBoard {
    place: String,
    waiting: Arc<Mutex<SecondLine<Card>>>,
}

impl SecondLineBoard {
    /// An empty board of a checkpoint.
    #[must_use]
    pub fn new(place: String) -> SecondLineBoard {
        SecondLineBoard { place, waiting: Arc::default() }
    }

    /// The same board, of a checkpoint that has another name now.
    #[must_use]
    pub fn at(&self, place: String) -> SecondLineBoard {
        SecondLineBoard { place, waiting: Arc::clone(&self.waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, SecondLine<Card>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up a card; the number for the lane's screen.
    #[must_use]
    pub fn arrive(&self, card: Card) -> Number {
        self.lock().arrive(card)
    }

    /// Takes down the card of a scan; whether there was one.
    pub fn done(&self, scan: uuid::Uuid) -> bool {
        self.lock().dealt_with(|_, card| card.scan == scan)
    }

    /// Whether a card of this scan is up.
    #[must_use]
    pub fn has(&self, scan: uuid::Uuid) -> bool {
        self.lock().waiting().any(|(_, card)| card.scan == scan)
    }

    /// All cards.
    #[must_use]
    pub fn line(&self) -> Line {
        let numbered =
            |(number, card): (Number, &Card)| NumberedCard { number: number.to_string(), card: card.clone() };
        Line { place: self.place.clone(), cards: self.lock().waiting().map(numbered).collect() }
    }
}

//! Who was sent to the second line and has not been dealt with: each with a short number that stands large on the lane's screen, so
//! that an officer at a desk finds the traveller's card without a name.
//!
//! A number says nothing about the person and is used again as late as possible. Nothing here knows the time.

use std::{collections::VecDeque, fmt};

/// Letters and digits that are told apart on a bad screen and by telephone: no 0 and O, no 1 and I, no 8 and B, no 5 and S, no 2 and Z.
const LETTERS: &[u8] = b"ACDEFGHJKLMNPRTUVWXY";
const DIGITS: &[u8] = b"34679";
/// Numbers of two characters; then those of three.
const SHORT: usize = LETTERS.len() * DIGITS.len();
/// All numbers: beyond so many waiting travellers a queue has no desk.
const ALL: usize = SHORT * (1 + LETTERS.len());
/// Cards kept. The oldest goes first: whoever waits behind so many has been dealt with without a word to this device.
pub const MAX_WAITING: usize = 400;

/// A traveller's short number: `K7`, or `K7M` where all of two characters are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u16);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = usize::from(self.0);
        let (short, third) = (number % SHORT, number / SHORT);
        // Neighbours in time differ in the letter, which is heard better than a digit.
        let (letter, digit) = (LETTERS[short % LETTERS.len()], DIGITS[short / LETTERS.len()]);
        write!(f, "{}{}", char::from(letter), char::from(digit))?;
        if third > 0 {
            write!(f, "{}", char::from(LETTERS[third - 1]))?;
        }
        Ok(())
    }
}

/// Who waits, in the order of arrival, each with a card of the caller's kind.
#[derive(Debug)]
pub struct SecondLine<Card> {
    waiting: VecDeque<(Number, Card)>,
    next: usize,
}

impl<Card> Default for SecondLine<Card> {
    fn default() -> SecondLine<Card> {
        SecondLine { waiting: VecDeque::new(), next: 0 }
    }
}

impl<Card> SecondLine<Card> {
    /// Somebody is sent to the desk; the number that they are called by.
    pub fn arrive(&mut self, card: Card) -> Number {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        let number = self.free();
        self.waiting.push_back((number, card));
        number
    }

    /// Takes away the cards that an officer is done with; whether there was one.
    pub fn dealt_with(&mut self, which: impl Fn(Number, &Card) -> bool) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(number, card)| !which(*number, card));
        self.waiting.len() < before
    }

    /// Who waits, the one who has waited longest first.
    pub fn waiting(&self) -> impl Iterator<Item = (Number, &Card)> {
        self.waiting.iter().map(|(number, card)| (*number, card))
    }

    /// The next number that nobody has. Those of two characters are gone through in turn, so that one returns as late as possible.
    fn free(&mut self) -> Number {
        let in_use = |number: Number| self.waiting.iter().any(|(used, _)| *used == number);
        let in_turn = (0..SHORT).map(|step| (self.next + step) % SHORT);
        let number = in_turn
            .chain(SHORT..ALL)
            .map(|number| Number(number as u16))
            .find(|number| !in_use(*number))
            .expect("there are more numbers than cards");
        self.next = (usize::from(number.0) + 1) % SHORT;
        number
    }
}

const _: () = assert!(ALL > MAX_WAITING && ALL < u16::MAX as usize);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_number_has_two_characters_that_nobody_takes_for_another_and_belongs_to_one_traveller() {
        let mut line = SecondLine::default();
        let numbers: Vec<Number> = (0..SHORT).map(|traveller| line.arrive(traveller)).collect();
        let texts: BTreeSet<String> = numbers.iter().map(Number::to_string).collect();
        assert_eq!(texts.len(), SHORT);
        for text in &texts {
            assert_eq!(text.len(), 2);
            assert!(!text.contains(['0', 'O', '1', 'I', '8', 'B', '5', 'S', '2', 'Z', 'Q']), "{text}");
        }
    }

    #[test]
    fn a_number_comes_back_only_after_all_others() {
        let mut line = SecondLine::default();
        let first = line.arrive(0);
        assert!(line.dealt_with(|number, _| number == first));
        let others: Vec<Number> = (1..SHORT).map(|traveller| line.arrive(traveller)).collect();
        assert!(!others.contains(&first));
        assert_eq!(line.arrive(SHORT), first);
    }

    #[test]
    fn more_travellers_than_short_numbers_get_a_third_character_and_no_two_the_same() {
        let mut line = SecondLine::default();
        for traveller in 0..2 * MAX_WAITING {
            line.arrive(traveller);
            let numbers: BTreeSet<Number> = line.waiting().map(|(number, _)| number).collect();
            assert_eq!(numbers.len(), (traveller + 1).min(MAX_WAITING));
        }
        assert!(line.waiting().any(|(number, _)| number.to_string().len() == 3));
        let oldest = line.waiting().next().map(|(_, traveller)| *traveller);
        assert_eq!(oldest, Some(MAX_WAITING), "the oldest went");
    }

    #[test]
    fn a_card_stays_in_its_place_until_it_is_dealt_with() {
        let mut line = SecondLine::default();
        let numbers = ["one", "two", "three"].map(|card| line.arrive(card));
        assert!(line.dealt_with(|_, card| *card == "two"));
        assert!(!line.dealt_with(|number, _| number == numbers[1]), "once");
        let left: Vec<_> = line.waiting().collect();
        assert_eq!(left, [(numbers[0], &"one"), (numbers[2], &"three")]);
    }
}

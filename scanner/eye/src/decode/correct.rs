//! Reed–Solomon: errors and erasures, one block at a time, and how much a correction is to be believed.
//!
//! Berlekamp–Massey started from the erasures, a search for the roots, Forney's values, and the syndromes once more
//! over the corrected block: nothing is handed out that is not a codeword. All arrays are as long as the largest
//! block, so the work is bounded by it.

use super::field::{MAX_CORRECTION, over, power, step_powers, syndromes, times};

/// Codewords in the largest block (30-Q … 40-L: 123 data and 30 correction).
pub const MAX_BLOCK: usize = 153;

/// A polynomial of low degree, its lowest coefficient first.
type Polynomial = [u8; MAX_CORRECTION + 1];

/// What a correction took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Codewords that were wrong and not known to be.
    pub errors: usize,
    /// Codewords that were declared erased.
    pub erasures: usize,
}

/// Corrects `block` in place, `correction` codewords of it at the end being redundancy; `erased` lists positions in
/// the block that are not to be believed, each once.
///
/// `None` when more is wrong than can be known; the block is then unchanged.
pub fn correct(block: &mut [u8], correction: usize, erased: &[u8]) -> Option<Correction> {
    let sums = syndromes(block, correction);
    correct_with(block, correction, erased, &sums)
}

/// [`correct`] for a caller that has the syndromes already and tries several sets of erasures.
pub fn correct_with(
    block: &mut [u8],
    correction: usize,
    erased: &[u8],
    sums: &[u8; MAX_CORRECTION],
) -> Option<Correction> {
    if block.len() > MAX_BLOCK || correction > MAX_CORRECTION || correction > block.len() || erased.len() > correction {
        return None;
    }
    let sums = &sums[..correction];
    if sums.iter().all(|&sum| sum == 0) {
        return Some(Correction { errors: 0, erasures: erased.len() });
    }
    let (locator, wrong) = locator(sums, erased, block.len())?;
    let mut places = [(0u8, 0u8); MAX_CORRECTION];
    let places = roots(&locator, wrong, block.len(), &mut places)?;

    let evaluator = evaluator(sums, &locator, wrong);
    let mut fixed = [0u8; MAX_BLOCK];
    let fixed = &mut fixed[..block.len()];
    fixed.copy_from_slice(block);
    let mut errors = 0;
    for &(position, inverse) in places {
        // Forney with the first root 2⁰: magnitude = X · Ω(X⁻¹) / Λ'(X⁻¹).
        let slope = slope_at(&locator, wrong, inverse);
        if slope == 0 {
            return None;
        }
        let value = over(over(value_at(&evaluator[..wrong], inverse), slope), inverse);
        fixed[usize::from(position)] ^= value;
        if !erased.contains(&position) {
            errors += 1;
        }
    }
    if syndromes(fixed, correction)[..correction].iter().any(|&sum| sum != 0) {
        return None;
    }
    block.copy_from_slice(fixed);
    Some(Correction { errors, erasures: erased.len() })
}

/// The errata locator by Berlekamp–Massey, started from the erasures' own; and its degree.
fn locator(sums: &[u8], erased: &[u8], length: usize) -> Option<(Polynomial, usize)> {
    let mut locator: Polynomial = [0; MAX_CORRECTION + 1];
    locator[0] = 1;
    for (degree, &position) in erased.iter().enumerate() {
        let root = power((length - 1).checked_sub(usize::from(position))?);
        for index in (0..=degree).rev() {
            locator[index + 1] ^= times(locator[index], root);
        }
    }
    let mut previous = locator;
    let mut wrong = erased.len();
    for step in erased.len()..sums.len() {
        let discrepancy = (0..=wrong).fold(0, |sum, index| sum ^ times(locator[index], sums[step - index]));
        previous.copy_within(0..MAX_CORRECTION, 1);
        previous[0] = 0;
        if discrepancy == 0 {
            continue;
        }
        let old = locator;
        for (coefficient, &shifted) in locator.iter_mut().zip(&previous) {
            *coefficient ^= times(discrepancy, shifted);
        }
        if 2 * wrong <= step + erased.len() {
            wrong = step + 1 + erased.len() - wrong;
            previous = old.map(|coefficient| over(coefficient, discrepancy));
        }
    }
    // 2·errors + erasures ≤ correction, and the degree is what the length promised.
    let errors = wrong.checked_sub(erased.len())?;
    (2 * errors + erased.len() <= sums.len() && locator[wrong] != 0).then_some((locator, wrong))
}

/// Positions in the block whose locators are roots, with the roots; `None` when there are fewer than the degree.
fn roots<'a>(
    locator: &Polynomial,
    degree: usize,
    length: usize,
    places: &'a mut [(u8, u8); MAX_CORRECTION],
) -> Option<&'a [(u8, u8)]> {
    let mut found = 0;
    // Terms of Λ(X⁻¹), each multiplied by its own power of the generator from one position to the next.
    let mut terms = *locator;
    let start = 255 - (length - 1);
    for (exponent, term) in terms[..=degree].iter_mut().enumerate() {
        *term = times(*term, power(start * exponent % 255));
    }
    for position in 0..length {
        if terms[..=degree].iter().fold(0, |sum, term| sum ^ term) == 0 {
            *places.get_mut(found)? = (position as u8, power((start + position) % 255));
            found += 1;
        }
        // As many roots must follow as are missing: most wrong locators end here.
        if degree - found > length - 1 - position {
            return None;
        }
        step_powers(&mut terms[..=degree]);
    }
    (found == degree).then_some(&places[..found])
}

/// Ω = S·Λ mod x^correction; only the terms below the locator's degree are not zero.
fn evaluator(sums: &[u8], locator: &Polynomial, degree: usize) -> Polynomial {
    let mut evaluator = [0; MAX_CORRECTION + 1];
    for (index, coefficient) in evaluator[..degree].iter_mut().enumerate() {
        *coefficient = (0..=index).fold(0, |sum, lower| sum ^ times(locator[lower], sums[index - lower]));
    }
    evaluator
}

fn value_at(coefficients: &[u8], point: u8) -> u8 {
    coefficients.iter().rev().fold(0, |sum, &coefficient| times(sum, point) ^ coefficient)
}

/// The derivative's value: in characteristic two the odd terms alone, one degree lower.
fn slope_at(locator: &Polynomial, degree: usize, point: u8) -> u8 {
    let square = times(point, point);
    (1..=degree).rev().filter(|index| index % 2 == 1).fold(0, |sum, index| times(sum, square) ^ locator[index])
}

/// How surprising it would be, in bits, that a word drawn by chance could be corrected this way.
///
/// Of 256^redundancy possible syndromes, C(n, errors)·255^errors are within reach once the erasures have used up
/// their share: the rest is what speaks for the block being real.
pub fn surprise(length: usize, correction: usize, taken: Correction) -> i32 {
    let believed = length.saturating_sub(taken.erasures);
    let mut reach = 0.0f32;
    for index in 0..taken.errors.min(believed) {
        reach += ((believed - index) as f32).log2() - ((index + 1) as f32).log2();
    }
    let free = correction as i32 - taken.erasures as i32 - taken.errors as i32;
    free * 8 - reach.ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A codeword by polynomial division, the way an encoder makes it.
    fn encode(data: &[u8], correction: usize) -> Vec<u8> {
        let mut generator = vec![1u8];
        for index in 0..correction {
            generator.push(0);
            for place in (1..generator.len()).rev() {
                generator[place] ^= times(generator[place - 1], power(index));
            }
        }
        let mut rest = data.to_vec();
        rest.resize(data.len() + correction, 0);
        for index in 0..data.len() {
            let lead = rest[index];
            for (place, &coefficient) in generator.iter().enumerate() {
                rest[index + place] ^= times(lead, coefficient);
            }
        }
        [data, &rest[data.len()..]].concat()
    }

    #[test]
    fn the_standards_worked_symbol_is_a_codeword() {
        // ISO/IEC 18004:2015 Annex I.2: "01234567" at 1-M.
        let data = [0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11];
        let redundancy = [0xA5, 0x24, 0xD4, 0xC1, 0xED, 0x36, 0xC7, 0x87, 0x2C, 0x55];
        assert_eq!(encode(&data, 10), [&data[..], &redundancy[..]].concat());
        let mut block = [&data[..], &redundancy[..]].concat();
        block[3] ^= 0x40;
        block[20] = 0;
        assert_eq!(correct(&mut block, 10, &[]), Some(Correction { errors: 2, erasures: 0 }));
        assert_eq!(block[..16], data);
    }

    #[test]
    fn a_block_beyond_repair_is_left_as_it_was() {
        let mut block = encode(&[7; 20], 6);
        for codeword in &mut block[..12] {
            *codeword ^= 0x5A;
        }
        let before = block.clone();
        assert_eq!(correct(&mut block, 6, &[]), None);
        assert_eq!(block, before);
        assert_eq!(correct(&mut block, 6, &[0, 1, 2, 3, 4, 5, 6]), None, "more erasures than redundancy");
        assert_eq!(correct(&mut block, 6, &[200]), None, "a position outside the block");
    }

    proptest! {
        #[test]
        fn anything_within_capacity_is_restored(
            data in proptest::collection::vec(any::<u8>(), 1..123),
            correction in 2usize..=30,
            share in 0.0f64..=1.0,
            seed in any::<u64>(),
        ) {
            let original = encode(&data, correction);
            let erasures = (share * correction as f64) as usize;
            let errors = (correction - erasures) / 2;
            prop_assume!(erasures + errors <= original.len());
            let mut block = original.clone();
            let mut order: Vec<u8> = (0..original.len() as u8).collect();
            let mut state = seed | 1;
            let mut next = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
            for index in (1..order.len()).rev() {
                order.swap(index, (next() % (index as u64 + 1)) as usize);
            }
            for &place in &order[..erasures] { block[usize::from(place)] = next() as u8; }
            for &place in &order[erasures..erasures + errors] { block[usize::from(place)] ^= (next() % 255 + 1) as u8; }
            let taken = correct(&mut block, correction, &order[..erasures]).expect("within capacity");
            prop_assert_eq!(block, original);
            prop_assert!(taken.errors <= errors);
        }

        #[test]
        fn whatever_comes_out_is_a_codeword(
            mut block in proptest::collection::vec(any::<u8>(), 3..153),
            correction in 2usize..=30,
            erased in proptest::collection::btree_set(0u8..153, 0..30),
        ) {
            let erased: Vec<u8> = erased.into_iter().collect();
            if correct(&mut block, correction, &erased).is_some() {
                prop_assert!(syndromes(&block, correction)[..correction].iter().all(|&sum| sum == 0));
            }
        }
    }
}

//! GF(256) as QR uses it: the field of x⁸ + x⁴ + x³ + x² + 1, generator 2, in tables made by the compiler.

/// Powers of the generator, twice over so that a sum of two logarithms needs no reduction.
const EXP: [u8; 512] = {
    let mut table = [0; 512];
    let (mut value, mut index) = (1u16, 0);
    while index < 255 {
        table[index] = value as u8;
        table[index + 255] = value as u8;
        value <<= 1;
        if value > 255 {
            value ^= 0x11D;
        }
        index += 1;
    }
    table
};

/// Logarithms; that of zero is unused.
const LOG: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 255 {
        table[EXP[index] as usize] = index as u8;
        index += 1;
    }
    table
};

/// Most correction codewords any block has.
pub const MAX_CORRECTION: usize = 30;

/// `TIMES_POWER[i][v]` = v · 2ⁱ: one load a step where the same power multiplies again and again.
static TIMES_POWER: [[u8; 256]; MAX_CORRECTION + 1] = {
    let mut table = [[0; 256]; MAX_CORRECTION + 1];
    let mut power = 0;
    while power <= MAX_CORRECTION {
        let mut value = 1;
        while value < 256 {
            table[power][value] = EXP[LOG[value] as usize + power];
            value += 1;
        }
        power += 1;
    }
    table
};

/// The product of two elements.
pub fn times(one: u8, other: u8) -> u8 {
    if one == 0 || other == 0 {
        0
    } else {
        EXP[usize::from(LOG[usize::from(one)]) + usize::from(LOG[usize::from(other)])]
    }
}

/// The quotient; the divisor is not zero.
pub fn over(one: u8, divisor: u8) -> u8 {
    debug_assert!(divisor != 0, "division by zero in the field");
    if one == 0 { 0 } else { EXP[usize::from(LOG[usize::from(one)]) + 255 - usize::from(LOG[usize::from(divisor)])] }
}

/// The generator to the power of `exponent`, at most 509.
pub fn power(exponent: usize) -> u8 {
    EXP[exponent]
}

/// Multiplies each coefficient by 2 to the power of its degree, in place.
pub fn step_powers(coefficients: &mut [u8]) {
    for (coefficient, table) in coefficients.iter_mut().zip(&TIMES_POWER) {
        *coefficient = table[usize::from(*coefficient)];
    }
}

/// Syndromes of a block, `syndromes[i]` = block(2ⁱ); all zero when it is a codeword of the code.
pub fn syndromes(block: &[u8], correction: usize) -> [u8; MAX_CORRECTION] {
    let mut sums = [0; MAX_CORRECTION];
    for &codeword in block {
        for (sum, table) in sums[..correction].iter_mut().zip(&TIMES_POWER) {
            *sum = table[usize::from(*sum)] ^ codeword;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree_with_multiplication_by_hand() {
        let slow = |mut one: u16, mut other: u16| {
            let mut product = 0;
            while other > 0 {
                if other & 1 == 1 {
                    product ^= one;
                }
                one <<= 1;
                if one > 255 {
                    one ^= 0x11D;
                }
                other >>= 1;
            }
            product as u8
        };
        for one in 0..=255u8 {
            for other in 0..=255u8 {
                assert_eq!(times(one, other), slow(u16::from(one), u16::from(other)));
                if other != 0 {
                    assert_eq!(over(times(one, other), other), one);
                }
            }
        }
    }

    #[test]
    fn the_generator_polynomial_is_a_codeword() {
        // ISO/IEC 18004:2015 Annex A: g(x) for seven correction codewords, exponents 0 87 229 146 149 238 102 21.
        let block: Vec<u8> = [0, 87, 229, 146, 149, 238, 102, 21].map(power).to_vec();
        assert_eq!(syndromes(&block, 7)[..7], [0; 7]);
        assert_ne!(syndromes(&block[1..], 7)[..7], [0; 7]);
    }
}

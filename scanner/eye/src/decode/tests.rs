//! The decoder against an independent encoder, against damage, and against nothing at all.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::symbol::MAX_SIZE;
use proptest::prelude::*;
use qrcode::{Color, QrCode, bits::Bits};

const LEVELS: [(EcLevel, qrcode::EcLevel); 4] = [
    (EcLevel::L, qrcode::EcLevel::L),
    (EcLevel::M, qrcode::EcLevel::M),
    (EcLevel::Q, qrcode::EcLevel::Q),
    (EcLevel::H, qrcode::EcLevel::H),
];

fn grid(code: &QrCode) -> SoftGrid {
    let (size, colours) = (code.width(), code.to_colors());
    SoftGrid::from_bits(size, |x, y| colours[y * size + x] == Color::Dark).unwrap()
}

fn model2(number: u8, level: qrcode::EcLevel, payload: &[u8]) -> SoftGrid {
    grid(&QrCode::with_version(payload, qrcode::Version::Normal(number.into()), level).unwrap())
}

/// A small generator of its own, so that a failing case is a number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

/// Bytes that fill a symbol of this version and level to the last codeword, or nearly.
fn filling(version: Version, level: EcLevel) -> Vec<u8> {
    let blocks = version.blocks(level).unwrap();
    let header = if version < Version::Model2(10) { 2 } else { 3 };
    (0..blocks.data_total() - header).map(|index| (index * 37 + 11) as u8 | 0x80).collect()
}

#[test]
fn every_version_and_level_reads_back_what_was_written() {
    for number in 1..=40 {
        for (level, theirs) in LEVELS {
            for payload in [filling(Version::Model2(number), level), b"MR1:01234".to_vec()] {
                let decoded = decode(&model2(number, theirs, &payload)).unwrap();
                assert_eq!(decoded.payload, payload, "{number} {level:?}");
                assert_eq!((decoded.version, decoded.ec_level), (Version::Model2(number), level));
                assert_eq!((decoded.mirrored, decoded.corrected), (false, (0, 0)));
            }
        }
    }
}

#[test]
fn the_fixed_modules_are_the_same_in_every_symbol() {
    let check = |version: Version, grid: &SoftGrid| {
        for index in 0..grid.size() * grid.size() {
            let (x, y) = (index % grid.size(), index / grid.size());
            if let Some(dark) = fixed_module(version, x, y) {
                assert_eq!(grid.dark(x, y), dark, "{version} {x} {y}");
            }
        }
    };
    for number in [1, 2, 6, 7, 14, 32, 40] {
        check(Version::Model2(number), &model2(number, qrcode::EcLevel::L, b"MR1:"));
    }
    let micro = QrCode::with_version(b"123", qrcode::Version::Micro(2), qrcode::EcLevel::L).unwrap();
    check(Version::Micro(2), &grid(&micro));
}

#[test]
fn every_micro_symbol_reads_back_what_was_written() {
    // M3-L is not among them: this encoder gives it a whole last codeword where the standard has half of one.
    let cases: [(i16, usize, &[u8]); 12] = [
        (1, 0, b"12345"),
        (1, 0, b"7"),
        (2, 0, b"0123456789"),
        (2, 0, b"AB:12"),
        (2, 1, b"01234567"),
        (3, 1, b"abcdef"),
        (3, 1, b"2026112403"),
        (4, 0, b"byte mode here"),
        (4, 1, b"01234567890123456789012345"),
        (4, 1, b"bytes again"),
        (4, 2, b"lowerq"),
        (4, 2, b"UPPER 99"),
    ];
    for (number, level, payload) in cases {
        let (level, theirs) = LEVELS[level];
        let code = QrCode::with_version(payload, qrcode::Version::Micro(number), theirs).unwrap();
        let decoded = decode(&grid(&code)).unwrap_or_else(|error| panic!("M{number} {level:?} {payload:?}: {error}"));
        assert_eq!(decoded.payload, payload);
        assert_eq!((decoded.version, decoded.ec_level), (Version::Micro(number as u8), level));
    }
}

#[test]
fn the_standards_own_symbols_read_back() {
    // ISO/IEC 18004:2015 Annex I.2 and I.3: the number 01234567 as 1-M and as M2-L.
    let large = QrCode::with_version(b"01234567", qrcode::Version::Normal(1), qrcode::EcLevel::M).unwrap();
    assert_eq!(decode(&grid(&large)).unwrap().payload, b"01234567");
    let micro = QrCode::with_version(b"01234567", qrcode::Version::Micro(2), qrcode::EcLevel::L).unwrap();
    assert_eq!(decode(&grid(&micro)).unwrap().payload, b"01234567");
}

#[test]
fn a_mirrored_symbol_reads_and_says_so() {
    for (number, level) in [(1, 0), (7, 1), (14, 2), (40, 3)] {
        let (level, theirs) = LEVELS[level];
        let payload = filling(Version::Model2(number), level);
        let upright = model2(number, theirs, &payload);
        let mirrored = SoftGrid::from_bits(upright.size(), |x, y| upright.dark(y, x)).unwrap();
        let decoded = decode(&mirrored).unwrap();
        assert_eq!((decoded.payload, decoded.mirrored), (payload, true));
    }
    let micro = grid(&QrCode::with_version(b"12345", qrcode::Version::Micro(1), qrcode::EcLevel::L).unwrap());
    let mirrored = SoftGrid::from_bits(11, |x, y| micro.dark(y, x)).unwrap();
    assert!(decode(&mirrored).unwrap().mirrored);
}

#[test]
fn segments_of_every_kind_are_read() {
    let build = |fill: &dyn Fn(&mut Bits)| {
        let mut bits = Bits::new(qrcode::Version::Normal(5));
        fill(&mut bits);
        bits.push_terminator(qrcode::EcLevel::M).unwrap();
        decode(&grid(&QrCode::with_bits(bits, qrcode::EcLevel::M).unwrap())).unwrap()
    };
    let kanji = build(&|bits| bits.push_kanji_data(b"\x93\x5f\xe4\xaa").unwrap());
    assert_eq!(kanji.payload, b"\x93\x5f\xe4\xaa", "kanji are handed out as Shift_JIS");

    let mixed = build(&|bits| {
        bits.push_numeric_data(b"0012").unwrap();
        bits.push_alphanumeric_data(b"AC-42:%%").unwrap();
        bits.push_byte_data("通行".as_bytes()).unwrap();
    });
    assert_eq!(mixed.payload, "0012AC-42:%%通行".as_bytes());
    assert_eq!((mixed.eci, mixed.fnc1, mixed.structured_append), (None, None, None));

    for assignment in [9, 127, 128, 16383, 16384, 999_999] {
        let eci = build(&|bits| {
            bits.push_eci_designator(assignment).unwrap();
            bits.push_byte_data(b"\xca\xfe").unwrap();
        });
        assert_eq!((eci.eci, eci.payload.as_slice()), (Some(assignment), &b"\xca\xfe"[..]));
    }

    let gs1 = build(&|bits| {
        bits.push_fnc1_first_position().unwrap();
        bits.push_alphanumeric_data(b"10ABC%21%%9").unwrap();
    });
    assert_eq!((gs1.fnc1, gs1.payload.as_slice()), (Some(Fnc1::Gs1), &b"10ABC\x1d21%9"[..]));

    let aim = build(&|bits| {
        bits.push_fnc1_second_position(37).unwrap();
        bits.push_alphanumeric_data(b"AA1234BBB112").unwrap();
    });
    assert_eq!((aim.fnc1, aim.payload.as_slice()), (Some(Fnc1::Aim), &b"37AA1234BBB112"[..]));
}

#[test]
fn structured_append_is_reported() {
    // Made by hand: the encoder has no call for it.
    let bits = 0b0011_0001_0010_1010_0101_0100_0000_0010_u64 << 32 | u64::from(u16::from_be_bytes(*b"Hi")) << 16;
    let content = content::parse(&bits.to_be_bytes(), 64, Version::Model2(1)).unwrap();
    assert_eq!(content.structured_append, Some(StructuredAppend { index: 1, count: 3, parity: 0xA5 }));
    assert_eq!(content.payload, b"Hi");
}

#[test]
fn hanzi_is_handed_out_as_gb_2312() {
    // Mode 1101, subset 0001, one character: 通 is CD A8 in GB 2312: (CD−A6)·60h + (A8−A1) = 0EA7h.
    let bits = 0b1101_0001_0000_0001_u64 << 48 | 0x0EA7u64 << 35;
    let content = content::parse(&bits.to_be_bytes(), 64, Version::Model2(1)).unwrap();
    assert_eq!(content.payload, [0xCD, 0xA8]);
}

#[test]
fn broken_content_is_an_error_and_says_which() {
    let parse = |bits: u64| content::parse(&bits.to_be_bytes(), 64, Version::Model2(1)).unwrap_err();
    assert_eq!(parse(0), ContentError::Empty);
    assert_eq!(parse(0b0100_1111_1111 << 52), ContentError::Truncated);
    assert_eq!(parse(0b0110 << 60), ContentError::UnknownMode);
    assert_eq!(parse(0b0001_0000_0000_1111_1111_1111 << 40), ContentError::BadValue);
    assert_eq!(parse(0b0010_0000_0001_0111_1111_1111 << 40), ContentError::BadValue);
    assert_eq!(parse(0b0011_0101_0000 << 52), ContentError::BadValue);
}

#[test]
fn no_size_but_the_standards_is_read() {
    for size in 0..=MAX_SIZE {
        let blank = SoftGrid::new(size, vec![0; size * size]).unwrap();
        match Version::from_size(size) {
            None => assert_eq!(decode(&blank), Err(DecodeError::NoSuchSize(size))),
            Some(_) => assert_eq!(decode(&blank), Err(DecodeError::NoFormat)),
        }
    }
    assert_eq!(SoftGrid::new(178, vec![0; 178 * 178]), None);
    assert_eq!(SoftGrid::new(21, vec![0; 440]), None);
}

#[test]
fn a_payload_never_shows_in_debug_output() {
    let decoded = decode(&model2(3, qrcode::EcLevel::M, b"ZHANG SAN")).unwrap();
    assert!(!format!("{decoded:?}").contains("ZHANG") && !format!("{decoded:?}").contains("90, 72"));
}

/// Damages whole codewords of a symbol: `count` chosen at random, each replaced, `doubt` said of them or not.
fn damage(grid: &mut SoftGrid, dice: &mut Dice, share: f64, doubt: bool) {
    let size = grid.size();
    for index in 0..size * size {
        if dice.roll(10_000) < (share * 10_000.0) as usize {
            let flip = dice.roll(2) == 0;
            let value = &mut grid.modules_mut()[index];
            if flip {
                *value = -*value;
            }
            if doubt {
                *value /= 32;
            }
        }
    }
}

#[test]
fn doubted_modules_cost_half_of_what_believed_ones_do() {
    // A glare disk over a dense symbol: unknown modules are repaired, the same modules believed are not.
    let payload = filling(Version::Model2(10), EcLevel::M);
    let clean = model2(10, qrcode::EcLevel::M, &payload);
    let disk = |radius: i32, value: i8| {
        let mut grid = clean.clone();
        let size = grid.size();
        for index in 0..size * size {
            let (x, y) = ((index % size) as i32 - 30, (index / size) as i32 - 26);
            if x * x + y * y <= radius * radius {
                grid.modules_mut()[index] = value;
            }
        }
        decode(&grid)
    };
    let largest = |value: i8| (1..30).take_while(|&radius| disk(radius, value).is_ok()).last().unwrap();
    let (believed, doubted) = (largest(-127), largest(0));
    assert!(doubted * doubted * 10 >= believed * believed * 15, "believed {believed}, doubted {doubted}");
}

#[test]
fn noise_gives_no_payload() {
    let mut dice = Dice(0x5EED);
    let mut read = 0;
    for round in 0..2000 {
        let size = if round % 3 == 0 { 11 + 2 * dice.roll(4) } else { 21 + 4 * dice.roll(8) };
        let modules = (0..size * size).map(|_| dice.roll(255) as i32 - 127).map(|value| value as i8).collect();
        read += usize::from(decode(&SoftGrid::new(size, modules).unwrap()).is_ok());
    }
    assert_eq!(read, 0);
}

#[test]
fn a_symbol_with_its_data_replaced_gives_no_payload() {
    // Patterns and format are perfect, so that error correction alone stands between noise and a payload.
    let mut dice = Dice(77);
    for round in 0..1000 {
        let number = 1 + (round % 10) as u8;
        let (_, theirs) = LEVELS[dice.roll(4)];
        let mut grid = model2(number, theirs, b"1");
        let map = FunctionMap::new(Version::Model2(number));
        let size = grid.size();
        for index in 0..size * size {
            if !map.covers(index % size, index / size) {
                grid.modules_mut()[index] = (dice.roll(255) as i32 - 127) as i8;
            }
        }
        assert!(decode(&grid).is_err(), "round {round}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_symbol_reads_right_or_not_at_all(
        number in 1u8..=25, level in 0usize..4, seed in 1u64.., share in 0.0f64..0.4, doubt in any::<bool>(),
    ) {
        let (level, theirs) = LEVELS[level];
        let payload = filling(Version::Model2(number), level);
        let mut grid = model2(number, theirs, &payload);
        damage(&mut grid, &mut Dice(seed), share, doubt);
        if let Ok(decoded) = decode(&grid) {
            prop_assert_eq!(decoded.payload, payload);
        }
    }

    #[test]
    fn light_noise_is_no_obstacle(number in 1u8..=40, level in 0usize..4, seed in 1u64..) {
        let (level, theirs) = LEVELS[level];
        let payload = filling(Version::Model2(number), level);
        let mut grid = model2(number, theirs, &payload);
        damage(&mut grid, &mut Dice(seed), 0.012, true);
        prop_assert_eq!(decode(&grid).expect("within capacity").payload, payload);
    }

    #[test]
    fn any_grid_at_all_is_answered(size in 0usize..=177, seed in 1u64..) {
        let mut dice = Dice(seed);
        let modules = (0..size * size).map(|_| dice.roll(256) as u8 as i8).collect();
        let _ = decode(&SoftGrid::new(size, modules).expect("fits"));
    }
}

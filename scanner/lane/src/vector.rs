//! A signed pass code for this crate's tests, so that they need none of the code that signs.

/// A green code that the `authority` crate issued on 2021-02-01T00:00:00Z in Guangdong's name (440000), with the Ed25519 key of the seed of
/// 32 bytes 44.
pub const PASS: &str = "MR1:RRQT 9P60GO0GF0PWHO+OUIM8CK-B5/70:Q6646646FN0U6CF/IWY0T6CVT8J-0B$1QURXKS55K/E7360XAE/E0V5027BH16PD5NYF1AQE\
    -R251LHF0KHUP89W6CHTFBBML72KM4.0KRPT0D8%BL2FL+E9RDDUDFISINOCQ8OL7 *CY8MLX8/F7Y5DTKT";

//! A borrowed detector: rxing's port of zxing-cpp's, on our thresholds, behind our caps and a guard.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::{
    common::{BitMatrix, DetectorRXingResult},
    qrcode::cpp_port::{
        decoder::Decode,
        detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR},
    },
};

use crate::{
    light::Light,
    luma::Luma,
    reader::{Budget, Effort, Reader, Reading},
    symbol::{EcLevel, Point, Symbol, Version},
};

/// Reads the full, half and quarter size, dark on light and then light on dark.
#[derive(Debug, Default)]
pub struct Eye {
    light: Light,
}

impl Eye {
    /// An eye with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn level(&mut self, luma: Luma<'_>, scale: f32, inverted: bool, budget: Budget, reading: &mut Reading) {
        let (w, h) = (luma.width(), luma.height());
        let brightness = self.light.measure(luma);
        if scale == 1.0 {
            let s = &mut reading.statistics;
            (s.dark, s.mean, s.light) = (brightness.dark, brightness.mean, brightness.light);
        }
        let Ok(mut bits) = BitMatrix::new(w as u32, h as u32) else { return };
        for y in 0..h {
            let thresholds = self.light.thresholds_of_row(y);
            for (x, p) in luma.row(y).iter().enumerate() {
                if (*p <= thresholds[x / crate::light::BLOCK]) != inverted {
                    bits.set(x as u32, y as u32);
                }
            }
        }
        // The borrowed detector asserts in places; a frame that trips it is a frame without a symbol.
        let found = catch_unwind(AssertUnwindSafe(|| detect(&bits, budget))).unwrap_or_default();
        for (mut symbol, finders) in found {
            symbol.inverted = inverted;
            for c in &mut symbol.corners {
                *c = Point::new(c.x * scale, c.y * scale);
            }
            reading.statistics.finders = reading.statistics.finders.max(finders);
            if !reading.symbols.iter().any(|s| s.payload == symbol.payload) {
                reading.symbols.push(symbol);
            }
        }
    }
}

fn detect(bits: &BitMatrix, budget: Budget) -> Vec<(Symbol, u32)> {
    let mut finders = FindFinderPatterns(bits, true, 0);
    finders.sort_by_key(|f| std::cmp::Reverse(f.size));
    finders.truncate(budget.finders);
    let count = finders.len() as u32;
    let mut used = Vec::new();
    let mut found = Vec::new();
    for set in GenerateFinderPatternSets(&mut finders).into_iter().take(budget.triples) {
        if [set.bl, set.tl, set.tr].iter().any(|f| used.contains(f)) {
            continue;
        }
        let Ok(grid) = SampleQR(bits, &set) else { continue };
        let Ok(decoded) = Decode(grid.getBits()) else { continue };
        if !decoded.isValid() {
            continue;
        }
        used.extend([set.bl, set.tl, set.tr]);
        let Some(version) = Version::from_size(grid.getBits().width() as usize) else { continue };
        let p = grid.getPoints();
        let corner = |i: usize| p.get(i).map_or_else(Point::default, |p| Point::new(p.x, p.y));
        let ec_level = match decoded.ecLevel() {
            "M" => EcLevel::M,
            "Q" => EcLevel::Q,
            "H" => EcLevel::H,
            _ => EcLevel::L,
        };
        found.push((
            Symbol {
                payload: decoded.content().bytes().to_vec(),
                corners: [corner(0), corner(1), corner(2), corner(3)],
                version,
                ec_level,
                mirrored: decoded.isMirrored(),
                inverted: false,
                structured_append: None,
                eci: None,
            },
            count,
        ));
        if found.len() >= budget.symbols {
            break;
        }
    }
    found
}

fn halve(luma: Luma<'_>) -> Option<(Vec<u8>, usize, usize)> {
    let (w, h) = (luma.width() / 2, luma.height() / 2);
    if w < 21 || h < 21 {
        return None;
    }
    let mut out = Vec::with_capacity(w * h);
    for y in 0..h {
        let (a, b) = (luma.row(2 * y), luma.row(2 * y + 1));
        out.extend(
            a.chunks_exact(2)
                .zip(b.chunks_exact(2))
                .map(|(a, b)| ((u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]) + 2) / 4) as u8),
        );
    }
    Some((out, w, h))
}

impl Reader for Eye {
    fn read(&mut self, luma: Luma<'_>, budget: Budget) -> Reading {
        let mut reading = Reading::default();
        let half = halve(luma);
        let half = half.as_ref().and_then(|(d, w, h)| Luma::new(d, *w, *h).ok());
        let quarter = half.and_then(halve);
        let quarter = quarter.as_ref().and_then(|(d, w, h)| Luma::new(d, *w, *h).ok());
        let tries = [
            (Some(luma), 1.0, false),
            (half, 2.0, false),
            (Some(luma), 1.0, true),
            (half, 2.0, true),
            (quarter, 4.0, false),
        ];
        for (i, (plane, scale, inverted)) in tries.into_iter().enumerate() {
            let wanted = match budget.effort {
                Effort::Quick => i == 0,
                Effort::Rotating(n) => i == 0 || i == 1 + n as usize % 4,
                Effort::Thorough => true,
            };
            if wanted && let Some(plane) = plane {
                self.level(plane, scale, inverted, budget, &mut reading);
                if reading.symbols.len() >= budget.symbols {
                    break;
                }
            }
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_symbol_is_read() {
        let code = qrcode::QrCode::new(b"hello gate").expect("fits");
        let n = code.width();
        let colors = code.to_colors();
        let (scale, quiet) = (4, 4);
        let side = (n + 2 * quiet) * scale;
        let mut data = vec![230_u8; side * side];
        for y in 0..n * scale {
            for x in 0..n * scale {
                if colors[y / scale * n + x / scale] == qrcode::Color::Dark {
                    data[(y + quiet * scale) * side + x + quiet * scale] = 20;
                }
            }
        }
        let reading = Eye::new().read(Luma::new(&data, side, side).expect("fits"), Budget::frame(0));
        assert_eq!(reading.symbols.first().map(|s| s.payload.as_slice()), Some(b"hello gate".as_slice()));
        assert!(reading.hints().is_empty());
    }
}

//! Which three finder patterns belong to one symbol, best guesses first.
//!
//! Every plausible corner is judged by all three patterns together; the dense codes that other readers lose are lost
//! where one small pattern's shape is extrapolated over fifty modules.

use crate::{finder::Finder, symbol::Point};

/// Three finders, in the order a symbol that is not mirrored has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Triple {
    pub(crate) top_left: Finder,
    pub(crate) top_right: Finder,
    pub(crate) bottom_left: Finder,
    /// Places in the list of finders, to know what is used.
    pub(crate) members: [usize; 3],
}

/// Neighbours of a finder that are looked at; the attack: the number of triples grows with their square.
const NEIGHBOURS: usize = 14;

/// Finder sizes between two finders of one symbol: the diagonal of the largest has √2 · 170 modules, and a finder that
/// is seen aslant measures less than it is.
const MAX_APART: f32 = 1.8 * 170.0 / 7.0;

/// The most plausible triples, best first, at most `limit`; says whether more were left out.
pub(crate) fn triples(finders: &[Finder], limit: usize) -> (Vec<Triple>, bool) {
    let mut guesses = Vec::new();
    let mut near: Vec<(f32, usize)> = Vec::new();
    for (i, a) in finders.iter().enumerate() {
        // Larger finders first in the list's order by size: every triple is met once, from its largest.
        near.clear();
        for (j, b) in finders.iter().enumerate() {
            let first = a.size > b.size || (a.size == b.size && i < j);
            if i != j && first && a.size < 2.2 * b.size {
                let distance = (b.center - a.center).length();
                if distance < a.size * MAX_APART && distance > a.size * 0.8 {
                    near.push((distance, j));
                }
            }
        }
        near.sort_by(|p, q| p.0.total_cmp(&q.0));
        near.truncate(NEIGHBOURS);
        for (n, (_, j)) in near.iter().enumerate() {
            for (_, k) in &near[n + 1..] {
                corners_of(finders, [i, *j, *k], &mut guesses);
            }
        }
    }
    let capped = guesses.len() > limit;
    if capped {
        guesses.select_nth_unstable_by(limit, |a, b| a.0.total_cmp(&b.0));
        guesses.truncate(limit);
    }
    guesses.sort_by(|a, b| a.0.total_cmp(&b.0));
    (guesses.into_iter().map(|(_, members)| Triple::of(finders, members)).collect(), capped)
}

/// The corner lies opposite the longest side; where tilt leaves that in doubt, both are tried.
fn corners_of(finders: &[Finder], ids: [usize; 3], guesses: &mut Vec<(f32, [usize; 3])>) {
    let side = |a: usize, b: usize| (finders[ids[a]].center - finders[ids[b]].center).length();
    let opposite = [side(1, 2), side(2, 0), side(0, 1)];
    let longest = opposite.into_iter().fold(0.0, f32::max);
    for (corner, length) in opposite.into_iter().enumerate() {
        if length > 0.8 * longest {
            let ids = [ids[corner], ids[(corner + 1) % 3], ids[(corner + 2) % 3]];
            guesses.extend(score(finders, ids, length / longest).map(|score| (score, ids)));
        }
    }
}

/// How little the three look like those of one symbol, the first being its corner; `None` when they cannot be.
fn score(finders: &[Finder], ids: [usize; 3], likely: f32) -> Option<f32> {
    let [corner, one, two] = ids.map(|i| &finders[i]);
    let (u, v) = (one.center - corner.center, two.center - corner.center);
    let (lu, lv) = (u.length(), v.length());
    if lu > 2.6 * lv || lv > 2.6 * lu {
        return None;
    }
    let cosine = u.dot(v) / (lu * lv);
    if cosine.abs() > 0.82 {
        return None;
    }
    // Seen in perspective, the number of modules is the distance by the geometric mean of the modules at its ends.
    let side = |other: &Finder, by: Point, length: f32| {
        let (here, there) = (corner.module_along(by), other.module_along(by));
        (length / (here * there).sqrt() + 7.0, here.max(there) / here.min(there))
    };
    let ((across, alike_u), (down, alike_v)) = (side(one, u, lu), side(two, v, lv));
    let (most, least, uneven) = (across.max(down), across.min(down), alike_u.max(alike_v));
    if most > 1.6 * least + 4.0 || !(15.0..200.0).contains(&least) || uneven > 2.8 {
        return None;
    }
    let unlike = corner.size.max(one.size).max(two.size) / corner.size.min(one.size).min(two.size) - 1.0;
    let quality = (corner.quality + one.quality + two.quality) / 3.0;
    let shape =
        1.0 + unlike + 1.5 * cosine.abs() + 2.0 * (most / least - 1.0) + 0.5 * (uneven - 1.0) + 4.0 * (1.0 - likely);
    // Nearer ones first, where several symbols are in view; but a bad shape counts far more than a long way, because
    // what looks like a finder in a texture has many such near it.
    Some((1.1 - quality) * shape * (lu + lv).sqrt().sqrt())
}

impl Triple {
    fn of(finders: &[Finder], [corner, one, two]: [usize; 3]) -> Self {
        let (u, v) = (finders[one].center - finders[corner].center, finders[two].center - finders[corner].center);
        let members = if u.cross(v) < 0.0 { [corner, two, one] } else { [corner, one, two] };
        let [top_left, top_right, bottom_left] = members.map(|i| finders[i]);
        Self { top_left, top_right, bottom_left, members }
    }

    /// The middle of the line between the two outer finders: about the middle of the symbol.
    pub(crate) fn middle(&self) -> Point {
        (self.top_right.center + self.bottom_left.center) * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(x: f32, y: f32) -> Finder {
        Finder {
            center: Point::new(x, y),
            size: 28.0,
            angle: 0.0,
            quality: 1.0,
            threshold: None,
            light_ring: [10.0; 8],
        }
    }

    #[test]
    fn stripes_with_many_finders_near_each_other_do_not_crowd_a_symbol_out() {
        let mut finders: Vec<Finder> = (0..24)
            .map(|i| Finder { quality: 0.9, ..finder((i % 6) as f32 * 70.0, 600.0 + (i / 6) as f32 * 75.0) })
            .collect();
        let symbol = [finder(800.0, 100.0), finder(1100.0, 140.0), finder(770.0, 390.0)];
        finders.extend(symbol);
        let (triples, _) = triples(&finders, 1);
        assert_eq!(triples[0].members.map(|i| finders[i].center), symbol.map(|f| f.center));
    }

    #[test]
    fn sides_that_differ_in_pixels_but_not_in_modules_are_those_of_a_tilted_symbol() {
        // Half as many pixels a module from top to bottom as from left to right.
        let light_ring = std::array::from_fn(|i| {
            let angle = 0.1 + i as f32 * std::f32::consts::PI / 8.0;
            2.5 / (angle.cos().abs() / 8.0).max(angle.sin().abs() / 4.0)
        });
        let tilted = |x, y| Finder { size: 42.0, light_ring, ..finder(x, y) };
        let symbol = [tilted(100.0, 100.0), tilted(500.0, 100.0), tilted(100.0, 300.0)];
        assert_eq!(triples(&symbol, 1).0[0].top_left, symbol[0]);
        // As many pixels, but twice as many modules down as across.
        let oblong = [tilted(100.0, 100.0), tilted(500.0, 100.0), tilted(100.0, 500.0)];
        assert!(triples(&oblong, 8).0.is_empty());
    }

    #[test]
    fn three_corners_of_a_square_are_put_in_order() {
        let finders = [finder(300.0, 100.0), finder(100.0, 300.0), finder(100.0, 100.0)];
        let (triples, capped) = triples(&finders, 8);
        assert_eq!(triples.len(), 1);
        assert!(!capped);
        let t = triples[0];
        assert_eq!(
            (t.top_left.center, t.top_right.center, t.bottom_left.center),
            (finders[2].center, finders[0].center, finders[1].center)
        );
    }

    #[test]
    fn a_wall_of_finders_gives_no_more_triples_than_asked_for() {
        let wall: Vec<Finder> = (0..400).map(|i| finder((i % 20) as f32 * 60.0, (i / 20) as f32 * 60.0)).collect();
        let (triples, capped) = triples(&wall, 32);
        assert_eq!(triples.len(), 32);
        assert!(capped);
    }

    #[test]
    fn three_in_a_row_are_no_symbol() {
        let row = [finder(100.0, 100.0), finder(300.0, 100.0), finder(500.0, 100.0)];
        assert!(triples(&row, 8).0.is_empty());
    }
}

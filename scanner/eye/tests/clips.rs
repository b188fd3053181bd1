//! Clips that no single frame gives up, read from several frames: how often, and after how many.

mod clip;

use clip::{Clip, FRAMES, HEIGHT, SPOILERS, Spoiler, WIDTH};
use eye::{Budget, Eye, Luma, Reader, track::Tracker};

/// After how many frames a clip was read; `None` for one that a single frame gave up, which is no clip for this test.
fn played(number: u64, spoiler: Spoiler) -> Option<Option<usize>> {
    let mut clip = Clip::new(number, spoiler);
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|index| clip.frame(index)).collect();
    let luma = |frame| Luma::new(frame, WIDTH, HEIGHT).expect("a frame's size");
    let mut eye = Eye::new();
    if frames.iter().any(|frame| !eye.read(luma(frame), Budget { symbols: 1, ..Budget::picture() }).symbols.is_empty())
    {
        return None;
    }
    let mut tracker = Tracker::new();
    for (index, frame) in frames.iter().enumerate() {
        let sight = tracker.see(luma(frame));
        if let Some(symbol) = sight.symbols.first() {
            assert_eq!(symbol.payload, clip.text.as_bytes(), "clip {number} {spoiler:?} gave a false payload");
            return Some(Some(index + 1));
        }
    }
    Some(None)
}

#[test]
fn symbols_that_no_frame_gives_up_are_read_from_ten() {
    let clips: u64 = std::env::var("EYE_CLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(3);
    let (mut all, mut read) = (0, 0);
    for spoiler in SPOILERS {
        let outcomes: Vec<Option<usize>> = (1..=clips).filter_map(|number| played(number, spoiler)).collect();
        let within = outcomes.iter().flatten().filter(|&&frames| frames <= 10).count();
        let mut after: Vec<usize> = outcomes.iter().flatten().copied().collect();
        after.sort_unstable();
        println!(
            "{spoiler:?}: {} of {clips} clips defeat every frame; read within ten {within}, after {after:?}",
            outcomes.len()
        );
        all += outcomes.len();
        read += within;
    }
    println!("all: {read} of {all}");
    assert!(read * 10 >= all * 7, "{read} of {all} clips read within ten frames");
}

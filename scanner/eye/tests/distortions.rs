//! What the eye promises to read: any symbol under any listed distortion below its limit, to exactly its payload.

mod scene;

use eye::{Budget, Eye, Luma, Reader, Reading};
use proptest::prelude::*;
use qrcode::EcLevel;
use scene::{HEIGHT, Scene, WIDTH, code};

fn read(frame: &[u8]) -> Reading {
    Eye::new().read(Luma::new(frame, WIDTH, HEIGHT).expect("a frame's size"), Budget::frame(0))
}

fn distortion() -> impl Strategy<Value = Scene> {
    let plain = Scene::default;
    prop_oneof![
        (1.8_f32..8.0).prop_map(move |module| Scene { module, ..plain() }),
        (0.0_f32..360.0).prop_map(move |turn| Scene { turn, ..plain() }),
        (0.0_f32..50.0, 0.0_f32..360.0).prop_map(move |(tilt, turn)| Scene { tilt, turn, module: 4.5, ..plain() }),
        (0.1_f32..0.45).prop_map(move |blur| Scene { blur, ..plain() }),
        (60.0_f32..120.0).prop_map(move |white| Scene { white, black: white / 8.0, noise: 6.0, ..plain() }),
        (1.0_f32..8.0).prop_map(move |gradient| Scene { gradient, ..plain() }),
        (0.0_f32..60.0).prop_map(move |curve| Scene { curve, module: 4.5, ..plain() }),
        (90.0_f32..215.0).prop_map(move |white| Scene { inverted: true, white, black: white / 4.0, ..plain() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_symbol_under_a_listed_distortion_is_read_exactly(
        scene in distortion(),
        text in "[0-9A-Z $%*+./:-]{4,90}",
        level in prop_oneof![Just(EcLevel::L), Just(EcLevel::M), Just(EcLevel::Q)],
        seed in 1_u64..1_000_000,
    ) {
        let code = code(&text, level);
        // At most the height of the frame.
        let module = scene.module.min(HEIGHT as f32 * 0.66 / code.width() as f32);
        let scene = Scene { seed, module, ..scene };
        let reading = read(&scene.draw(&code));
        let texts: Vec<String> =
            reading.symbols.iter().map(|s| String::from_utf8_lossy(&s.payload).into_owned()).collect();
        prop_assert_eq!(texts, [text], "{:?}", reading.statistics);
    }

    #[test]
    fn no_plane_of_any_shape_makes_it_panic(
        width in 1_usize..200, height in 1_usize..200, seed in any::<u64>(), flat in any::<bool>(),
    ) {
        let mut dice = seed | 1;
        let data: Vec<u8> = (0..width * height).map(|_| {
            dice ^= dice << 13; dice ^= dice >> 7; dice ^= dice << 17;
            if flat { (dice >> 63) as u8 * 200 } else { (dice >> 56) as u8 }
        }).collect();
        let reading = Eye::new().read(Luma::new(&data, width, height).expect("fits"), Budget::picture());
        prop_assert!(reading.symbols.is_empty());
    }
}

#[test]
fn an_eye_that_has_seen_a_large_frame_reads_a_small_one() {
    let mut eye = Eye::new();
    let large = vec![90; 1920 * 1080];
    let _ = eye.read(Luma::new(&large, 1920, 1080).expect("fits"), Budget::frame(0));
    let frame = Scene::default().draw(&code("MR1:AFTER", EcLevel::M));
    let reading = eye.read(Luma::new(&frame, WIDTH, HEIGHT).expect("fits"), Budget::frame(1));
    assert_eq!(reading.symbols.len(), 1);
}

#[test]
fn a_symbol_too_blurred_to_read_is_hinted_at_as_blurred() {
    let scene = Scene { blur: 0.75, noise: 6.0, module: 5.0, ..Scene::default() };
    let reading = read(&scene.draw(&code("MR1:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", EcLevel::L)));
    if reading.symbols.is_empty() && reading.statistics.sharpness.is_some() {
        assert!(reading.hints().contains(&eye::Hint::Blurred), "{:?}", reading.statistics);
    }
}

#[test]
fn a_frame_without_light_is_hinted_at_as_too_dark() {
    assert_eq!(read(&[20; WIDTH * HEIGHT]).hints(), [eye::Hint::TooDark]);
}

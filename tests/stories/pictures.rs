//! What a camera may show beside a traveller's code, and in place of anything: before the real daemon, with real frames.

use std::{fs, path::Path};

use authority::code::picture::{Level, Picture};
use image::{GrayImage, Luma, Rgb, RgbImage, imageops};

use super::gate::{Daemon, eventually, today};

/// A hall with light and shade and the noise of a sensor, different in each picture.
fn hall(number: u32) -> GrayImage {
    GrayImage::from_fn(1280, 720, |x, y| {
        let noise = (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b))
            .wrapping_add(number.wrapping_mul(0xc2b2_ae35))
            >> 29;
        Luma([(120 + x / 20 + noise) as u8])
    })
}

/// With a symbol in it whose top left corner is there.
fn with(mut picture: GrayImage, text: &str, (x, y): (i64, i64), module: u32) -> GrayImage {
    imageops::replace(&mut picture, &Picture::draw(text, Level::M).expect("it fits").luma(module), x, y);
    picture
}

/// Shows these in turn; whole or not at all.
fn show(folder: &Path, picture: impl Fn(u32) -> RgbImage) {
    fs::create_dir_all(folder).expect("made");
    for number in 0..2 {
        let aside = folder.join("part");
        picture(number).save_with_format(&aside, image::ImageFormat::Png).expect("written");
        fs::rename(aside, folder.join(format!("{number}.png"))).expect("renamed");
    }
}

fn grey(picture: GrayImage) -> RgbImage {
    image::DynamicImage::from(picture).into_rgb8()
}

#[test]
fn three_travellers_are_judged_beside_a_sticker_that_begins_like_a_pass_code() {
    let world = today();
    let frames = world.path("frames");
    let sticker = |number| with(hall(number), "MR1:A", (20, 20), 4);
    show(&frames, |number| grey(sticker(number)));
    let daemon = Daemon::start(&world, "stuck = \"3s\"");
    let judged = |reason: &str| daemon.get("/status.json").contains(&format!("\"reason\":\"{reason}"));
    eventually("alone it is judged", || judged("malformed"));
    for (who, reason) in
        [("from Guangdong, green", "ok"), ("red", "colour-red"), ("with a forged code", "bad-signature")]
    {
        show(&frames, |number| grey(with(sticker(number), world.text(who), (500, 150), 5)));
        eventually(who, || judged(reason));
    }
    let status = daemon.get("/status.json");
    assert_eq!(status.matches("\"reason\":\"malformed\"").count(), 1, "once: {status}");
}

#[test]
fn pictures_that_show_nothing_are_an_attention_with_its_cause_until_they_show_something_again() {
    let world = today();
    let frames = world.path("frames");
    // A buffer of zeros is black to us and green on a screen; a transfer that broke off leaves a part of one so.
    show(&frames, |_| RgbImage::new(1280, 720));
    let daemon = Daemon::start(&world, "");
    let up = |up: u8| daemon.get("/metrics").contains(&format!("checkpoint_camera_up{{lane=\"1\"}} {up}"));
    assert!(up(1), "not at once");
    let told = |cause: &str| {
        let (status, metrics) = (daemon.get("/status.json"), daemon.get("/metrics"));
        status.contains("picture-lifeless")
            && status.contains(&format!("\"lifeless\":\"{cause}\""))
            && metrics.contains(&format!("checkpoint_picture_lifeless{{cause=\"{cause}\",lane=\"1\"}} 1"))
            && up(0)
    };
    eventually("black", || told("black"));
    assert!(daemon.first_of("/events", "event: band").contains("picture-lifeless"), "the screen's band says so");
    show(&frames, |number| {
        let mut torn = grey(hall(number));
        imageops::replace(&mut torn, &RgbImage::from_pixel(1280, 360, Rgb([0, 255, 0])), 0, 360);
        torn
    });
    eventually("half of it green", || told("torn"));
    show(&frames, |_| grey(hall(0)));
    eventually("always the same", || told("frozen"));
    show(&frames, |number| grey(hall(number)));
    eventually("it lives", || up(1) && !daemon.get("/status.json").contains("picture-lifeless"));
}

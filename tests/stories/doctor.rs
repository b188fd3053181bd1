//! The doctor on a gate as an installer left it: each thing that can be wrong has its line, and says what to do.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{
    gate::{picture, today},
    support::{World, checkpointd, said},
};

/// The configuration of a gate with a mirror, a camera and a gate in a world's folder.
fn gate(world: &World) {
    let top = world.path("");
    fs::write(
        world.path("gate.toml"),
        format!(
            "[checkpoint]\nid = \"gate 7\"\nrelying = \"440000\"\n[page]\nlisten = \"127.0.0.1:0\"\n\
             [places]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n[trust]\nseed = \"{0}/trust\"\n\
             [sync]\nmirrors = [\"file://{0}/trust\"]\n[[lane]]\nid = \"1\"\n\
             [lane.camera]\ndevice = \"pictures:{0}/frames\"\nrate = 20\n\
             [lane.gate]\ndriver = \"file\"\npath = \"{0}/gate\"\n",
            top.display()
        ),
    )
    .expect("written");
}

/// Each line by what was looked at, and how the command ended.
fn examined(world: &World) -> (BTreeMap<String, Value>, Option<i32>) {
    let report = world.path("report.json");
    let arguments = ["--config", "gate.toml", "doctor", "--json", "--report", report.to_str().expect("text")];
    let output = checkpointd(&world.path(""), &arguments, "");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!(fs::read(report).expect("the report"), output.stdout, "the support desk reads the same");
    let lines = told["findings"].as_array().expect("findings").iter();
    let by_name = lines.map(|line| (line["what"].as_str().expect("a word").to_owned(), line.clone())).collect();
    (by_name, output.status.code())
}

#[test]
fn what_an_installer_got_right_is_ok_and_what_they_got_wrong_is_told_with_what_to_do() {
    let world = today();
    gate(&world);
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let (right, status) = examined(&world);
    for what in ["configuration", "disk", "space", "mirror", "page", "camera", "gate"] {
        assert_eq!(right[what]["standing"], "ok", "{}", right[what]);
    }
    // One province of this country has no list yet; the others' are minutes old.
    let lists = &right["lists"];
    assert!(lists["fact"].as_str().is_some_and(|fact| fact.contains("640000 missing")), "{lists}");
    for part in ["pictures a second", "exposure", "focus"] {
        assert!(right["camera"]["fact"].as_str().is_some_and(|fact| fact.contains(part)), "{}", right["camera"]);
    }
    // What this machine is, nobody knows; but it is looked at.
    assert!(right.contains_key("clock") && (cfg!(not(target_os = "linux")) || right.contains_key("clock battery")));
    assert_eq!(status, Some(0), "attention is no fault");
    for personal in ["张", "0427", &world.text("from Guangdong, green")[4..40]] {
        assert!(!format!("{right:?}").contains(personal), "{personal} is in the report");
    }

    fs::remove_dir_all(world.path("state")).expect("removed");
    // On a card that is not in its slot.
    std::os::unix::fs::symlink(world.path("card/state"), world.path("state")).expect("linked");
    let file = world.path("gate.toml");
    let mut text = fs::read_to_string(&file).expect("written above");
    for (place, elsewhere) in [
        ("/trust\"]", "/frames\"]"),
        ("/trust\"", "/nowhere\""),
        ("/frames\"\nrate", "/nobody\"\nrate"),
        ("/gate\"", "/nowhere/gate\""),
    ] {
        text = text.replace(place, elsewhere);
    }
    fs::write(file, text).expect("written");
    let (wrong, status) = examined(&world);
    for what in ["disk", "lists", "mirror", "camera", "gate"] {
        assert_ne!(wrong[what]["standing"], "ok", "{wrong:?}");
        assert!(wrong[what]["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{}", wrong[what]);
    }
    assert_eq!(status, Some(1), "a fault is a failure");
}

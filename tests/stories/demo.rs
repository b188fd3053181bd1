//! The README's first command: every traveller gets the verdict that is expected.

use std::process::Command;

#[test]
fn every_traveller_of_the_demonstration_gets_the_expected_verdict() {
    let output = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
        .args(["demo", "--once", "--json"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_str(said.trim()).expect("one object");
    assert_eq!(report["expected"], report["travellers"], "{report}");
    for verdict in ["admit", "refer", "refuse", "none"] {
        assert!(report["verdicts"][verdict].as_u64() > Some(0), "nobody got {verdict}: {report}");
    }
}

//! What `docs/fleet.md` says is true: its commands run, in order, against a centre and a PostgreSQL of the test's own.

#[path = "../../../tests/documents/blocks.rs"]
mod blocks;
#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
#[path = "../../../tests/documents/sample.rs"]
mod sample;
#[path = "../../../tests/documents/session.rs"]
mod session;
mod support;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use support::World;

#[test]
fn commands_in_the_document_do_and_print_what_it_says() {
    let Some(world) = World::new() else { return };
    if programs::find("psql", "postgresql-client").is_none() {
        return;
    }
    let listen = format!("127.0.0.1:{}", programs::free_port());
    let _centre = world.serve(&listen, &[]);
    let folder = world.directory.path();
    let script = |name: &str, line: String| {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/bash\n{line}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        path.display().to_string()
    };
    // As on a server where the service's settings are in the environment; the centre's port is the test's own.
    let settings = world.postgres.settings(&world.database);
    let (key, program) = (folder.join("centre.key"), support::PROGRAM);
    let centre = format!(
        "export CENTRE_DATABASE='{settings}' CENTRE_KEY={} RUST_LOG=warn\nexec {program} \"${{@//127.0.0.1:8481/{listen}}}\"",
        key.display()
    );
    let centre = script("centre.sh", centre);
    let psql = script("psql.sh", format!("shift\nexec /usr/bin/psql '{settings}' \"$@\""));
    let programs = [("checkpoint-centre", &*centre), ("psql", &*psql)];
    let wrong = session::run(Path::new("docs/fleet.md"), &programs, folder);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

//! A folder that is put down and taken up again.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::authority::{Plan, Source};

const MORNING: UnixTime = UnixTime(1_612_137_600);

fn hubei() -> Authority {
    let issuer = "420000".parse().expect("a region");
    let mut authority =
        Authority::init(issuer, &Plan::default(), Terms::default(), Source::Random, MORNING).expect("made");
    authority.statuses_mut().grow(100, MORNING).expect("a list");
    authority
}

#[test]
fn an_authority_is_the_same_after_it_was_put_down_and_taken_up() {
    let home = tempfile::tempdir().expect("a folder");
    let directory = home.path().join("hubei");
    let mut workspace = Workspace::create(&directory, hubei()).expect("made");
    assert_eq!(workspace.publish(MORNING, 0, None).expect("published").generation, 1);
    let targets = workspace.authority.targets(MORNING).expect("targets");
    assert!(matches!(Workspace::open(&directory), Err(WorkspaceError::Busy(_))));
    drop(workspace);

    let mut workspace = Workspace::open(&directory).expect("opened");
    assert_eq!(workspace.authority.targets(MORNING).expect("targets"), targets);
    let second = workspace.publish(MORNING.plus(60), 0, None).expect("published");
    assert_eq!((second.generation, second.changed.len()), (2, 0));
    assert!(matches!(Workspace::create(&directory, hubei()), Err(WorkspaceError::AlreadyThere(_))));
}

#[test]
fn key_files_are_their_owners_alone_and_others_are_refused() {
    let home = tempfile::tempdir().expect("a folder");
    drop(Workspace::create(home.path(), hubei()).expect("made"));
    let keys = home.path().join(KEYS);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    let names = names(&keys).expect("names");
    assert_eq!(names.len(), 6);
    assert!(names.iter().all(|name| mode(&keys.join(name)) == 0o600));
    fs::set_permissions(keys.join(&names[0]), fs::Permissions::from_mode(0o644)).expect("opened up");
    assert!(matches!(Workspace::open(home.path()), Err(WorkspaceError::OpenKey(_))));
}

#[test]
fn the_generation_before_stays_and_older_ones_go() {
    let home = tempfile::tempdir().expect("a folder");
    let mut workspace = Workspace::create(home.path(), hubei()).expect("made");
    for number in 0..4 {
        let at = MORNING.plus(number * 60);
        let revoked = trustlist::status::Status::Revoked;
        workspace.authority.statuses_mut().set(number as u64, revoked, at).expect("covered");
        workspace.publish(at, 0, None).expect("published");
    }
    let files = |folder: &str| names(&home.path().join("published/420000").join(folder)).expect("names").len();
    assert_eq!(files("targets/status"), 2);
    // The root, two snapshots, two targets, the timestamp.
    assert_eq!(files("metadata"), 6);
}

#[test]
fn deltas_lead_from_the_last_three_lists_also_after_the_folder_was_put_down() {
    let home = tempfile::tempdir().expect("a folder");
    let mut authority = hubei();
    authority.statuses_mut().grow(10_000, MORNING).expect("a list");
    for index in (0..10_000).step_by(20) {
        authority.statuses_mut().set(index, trustlist::status::Status::Revoked, MORNING).expect("covered");
    }
    drop(Workspace::create(home.path(), authority).expect("made"));
    for number in 1..=6 {
        let mut workspace = Workspace::open(home.path()).expect("opened");
        let at = MORNING.plus(number * 60);
        let suspended = trustlist::status::Status::Suspended;
        workspace.authority.statuses_mut().set(number as u64, suspended, at).expect("covered");
        workspace.save().expect("saved");
        let publication = workspace.publish(at, 0, None).expect("published");
        let is_delta = |path: &&String| path.contains(".delta-");
        let deltas = publication.files.iter().map(|(path, _)| path).filter(is_delta).count();
        assert_eq!(deltas as i64, (number - 1).min(3));
        assert_eq!(publication.changed.iter().filter(is_delta).count(), 0, "a delta is no news by itself");
        let again = workspace.publish(at.plus(1), 0, None).expect("published");
        assert_eq!(again.files[..again.files.len() - 1], publication.files[..publication.files.len() - 1]);
    }
    assert_eq!(names(&home.path().join(SIGNED)).expect("names").len(), 4);
}

//! What the doctor finds behind addresses: the mirrors of the lists, and the page.

use std::net::TcpListener;

use host::{
    causes::WithCauses,
    config::{Config, Url},
};
use page::status::ReaderStatus;
use sync::{
    lists::{FolderMirror, Mirror},
    update::{MirrorAccess, WebMirror},
};
use trustlist::{
    region::NATIONAL,
    tuf::{Answer, MAX_METADATA},
};

use super::{Finding, Severity, bad, ok};
use crate::commands::status;

/// Each mirror, asked for the file that every sync begins with.
pub fn mirrors(config: &Config) -> impl Iterator<Item = Finding> {
    let way = MirrorAccess::from(&config.sync);
    config.sync.mirrors.iter().map(move |mirror| mirror_answers(mirror, &way))
}

fn mirror_answers(mirror: &Url, way: &MirrorAccess) -> Finding {
    let address = &mirror.0;
    let opened = match mirror.folder() {
        Some(folder) => FolderMirror::open(folder).map(|folder| Box::new(folder) as Box<dyn Mirror>),
        None => WebMirror::new(address, way).map(|web| Box::new(web) as Box<dyn Mirror>),
    };
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            return bad("mirror", Severity::Fault, WithCauses(&failure).to_string(), "correct it; no mirror is asked");
        }
    };
    match opened.fetch(&format!("{NATIONAL}/metadata/timestamp.json"), MAX_METADATA) {
        Answer::Bytes(_) => ok("mirror", address),
        Answer::NotFound => bad(
            "mirror",
            Severity::Attention,
            format!("{address} carries no lists"),
            "check the address: it is the one above 000000",
        ),
        Answer::Unreachable(why) => {
            bad("mirror", Severity::Attention, why, "no verdict waits for it; lists age meanwhile")
        }
    }
}

/// Whether the page can be had, or is there already.
pub fn page(config: &Config) -> Finding {
    if !config.page.enabled {
        return ok("page", "switched off");
    }
    let address = config.page.listen.0;
    match TcpListener::bind(address) {
        Ok(_) => ok("page", format!("http://{address}/ is free")),
        Err(_) => match status::of(config) {
            Ok(_) => ok("page", format!("http://{address}/, the daemon runs")),
            Err(failure) => bad(
                "page",
                Severity::Attention,
                failure.to_string(),
                "another program has page.listen; end it, or choose another port",
            ),
        },
    }
}

/// What the running daemon has counted of its scan engines' texts: what is wrong with one shows in what it sends.
pub fn engines(config: &Config) -> Vec<Finding> {
    let Ok(status) = status::of(config) else { return Vec::new() };
    let engines = status.lanes.iter().flat_map(|lane| lane.readers.iter().map(move |reader| (lane, reader)));
    engines.map(|(lane, reader)| engine(&lane.lane, reader)).collect()
}

fn engine(lane: &str, reader: &ReaderStatus) -> Finding {
    let texts: Vec<String> = reader.texts.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
    let texts = if texts.is_empty() { "no text yet".to_owned() } else { texts.join(", ") };
    let fact = format!("lane {lane}: {}: {texts}", reader.reader);
    match &reader.advice {
        None => ok("engine", fact),
        Some(advice) => bad("engine", Severity::Attention, fact, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(address: String) -> Severity {
        let config = Config::default();
        mirror_answers(&Url(address), &MirrorAccess::from(&config.sync)).severity
    }

    #[test]
    fn a_mirror_that_is_a_folder_is_looked_into_like_one_on_the_web() {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("file://{}", folder.path().display());
        std::fs::create_dir_all(folder.path().join("000000/metadata")).expect("made");
        assert_eq!(standing(address.clone()), Severity::Attention, "it carries no lists");
        std::fs::write(folder.path().join("000000/metadata/timestamp.json"), "{}").expect("written");
        assert_eq!(standing(address), Severity::Ok);
        assert_eq!(standing("file:///is/not/there".to_owned()), Severity::Fault);
    }

    #[test]
    fn a_port_that_another_program_has_is_told_from_one_that_is_free() {
        let mut config = Config::default();
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        config.page.listen.0 = other.local_addr().expect("bound");
        // It hangs up on everybody: no daemon of ours.
        std::thread::spawn(move || other.incoming().for_each(drop));
        assert_eq!(page(&config).severity, Severity::Attention);
    }
}

//! Starting what works beside the lanes, each on a thread of its own: upload, lists, report; and the page.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use cache::log::Reader;
use host::{clock::Clock, config};
use page::{
    desk::{
        self, Desk, PairingFiles,
        identity::{self, Identity},
    },
    server::{self, PageState},
    status::Status,
};
use sync::upload::{
    self,
    relay::{self, Relay},
};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    error::DaemonError,
    health,
    list_updater::{self, ListUpdater},
    process::Process,
    reporter::{self, Reporter},
    scan_log::OpenLog,
    settings::UploadSettings,
    threads::Worker,
};

/// Rows go to a centre on a thread of their own. `state` is what the health lines say of this post.
///
/// # Errors
/// When something on this device is missing for it.
pub fn upload(
    settings: &UploadSettings,
    process: &Process,
    log: &OpenLog,
    state: watch::Receiver<Status>,
) -> Result<Worker, DaemonError> {
    let mut options = settings.options.clone();
    let clock = process.clock().clone();
    let mut centre: Box<dyn upload::Centre> = match &settings.relay {
        Some(place) => {
            options.batch = options.batch.min(relay::MAX_BATCH);
            let relay = Relay::listen(place, options.timeout);
            Box::new(relay.map_err(|error| DaemonError::Relay(place.clone(), error))?)
        }
        None => upload::centre(&options, &clock).map_err(DaemonError::Upload)?,
    };
    let reader = Reader::open(&log.path).map_err(DaemonError::Log)?;
    let (status, writer) = (process.upload.clone(), log.writer.clone());
    let (time, lists) = (process.time.clone(), process.lists.clone());
    let folder = log.path.parent().unwrap_or(Path::new(".")).to_owned();
    let (stop, stops) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("upload".to_owned())
        .spawn(move || {
            let describe = || {
                let around = health::Surroundings::now(&folder, &time, &lists.now());
                health::describe(&options.post, &state.borrow(), &around)
            };
            upload::run((&options, &clock), centre.as_mut(), (&writer, &reader), &describe, &stops, &status);
        })
        .map_err(|error| DaemonError::Thread("the upload's thread", error))?;
    Ok((stop, thread))
}

/// The state is put together on a thread of its own; a message makes that happen at once.
///
/// # Errors
/// When a thread cannot be had.
pub fn report(
    reporter: Reporter,
    page: Arc<PageState>,
    status_to_page: watch::Sender<Status>,
) -> Result<Worker, DaemonError> {
    let (wake, wakes) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || reporter::keep_reporting(reporter, &page, &status_to_page, &wakes))
        .map_err(|error| DaemonError::Thread("the report's thread", error))?;
    Ok((wake, thread))
}

/// Newer lists come on a thread of their own.
///
/// # Errors
/// When a thread cannot be had.
pub fn list_updater(updater: ListUpdater) -> Result<Worker, DaemonError> {
    let (stop, stops) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("lists".to_owned())
        .spawn(move || list_updater::keep(&updater, &stops))
        .map_err(|error| DaemonError::Thread("the lists' thread", error))?;
    Ok((stop, thread))
}

/// The desk for another machine; `None` where none is wanted, or where it cannot be had, which costs the desk, not the lane.
pub fn desk(
    address: std::net::SocketAddr,
    places: &config::Places,
    clock: &Clock,
    page: &Arc<PageState>,
    stops: watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    // What the kernel calls this machine (proc_sys_kernel(5)); elsewhere the address must do.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let acceptor = Identity::open_or_make(&places.state, identity::names(host, address))
        .and_then(|identity| identity.acceptor().map_err(io::Error::other));
    match acceptor.and_then(|acceptor| Ok((acceptor, desk::bind(address)?))) {
        Ok((acceptor, listener)) => {
            let at = listener.local_addr().unwrap_or(address);
            log::info!("desk: https://{at}/");
            let desk = Desk::new(Arc::clone(page), PairingFiles::of(places.runtime.clone()), clock.clone());
            Some(tokio::spawn(desk::serve(listener, acceptor, Arc::new(desk), stops)))
        }
        Err(error) => {
            log::error!("no desk: {address}: {error}; the lane works without it");
            None
        }
    }
}

/// The page; `None` where its address cannot be had, which costs the page, not the lane.
pub fn page(
    address: std::net::SocketAddr,
    page: &Arc<PageState>,
    stops: watch::Receiver<bool>,
) -> Option<(std::net::SocketAddr, JoinHandle<()>)> {
    match server::bind(address) {
        Ok(listener) => {
            let at = listener.local_addr().unwrap_or(address);
            log::info!("page: http://{at}/");
            Some((at, tokio::spawn(server::serve(listener, Arc::clone(page), stops))))
        }
        Err(error) => {
            log::error!("no page: {address}: {error}; the lane works without it");
            None
        }
    }
}

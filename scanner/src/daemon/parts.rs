//! The parts of the daemon, each with the slice of the configuration that it was begun with. Putting a configuration in force begins anew only
//! the parts whose slice is another; everything else works on untouched.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cache::log::Reader;
use host::{backoff::Backoff, config::Config};
use page::{
    hub::{Hub, LaneScreen},
    server::PageState,
    status::Status,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    config_codes::ConfigCodes,
    error::DaemonError,
    face,
    lane_part::{LaneGear, LanePart},
    lane_report::LaneView,
    lane_worker::LaneHandles,
    list_updater::ListUpdater,
    overrides::LoggedOverrides,
    process::Process,
    reporter::{ReportHandles, Reporter},
    scan_log::{LogKeeper, OpenLog, begin_log},
    settings::{self, LaneSettings, PageSettings, ReportSettings, UploadSettings},
    setup::{DaemonEvent, Setup},
    start,
    threads::{PATIENCE, Worker, join_within},
};

/// When an upload that could not begin is begun again.
const UPLOAD_AGAIN: Backoff = Backoff { first: Duration::from_secs(2), cap: Duration::from_secs(60) };

/// A part that is a thread, and what it was begun with.
struct Part<S> {
    settings: S,
    worker: Worker,
}

/// The page at work.
struct PagePart {
    settings: PageSettings,
    state: Arc<PageState>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    /// The same for the desk on another machine.
    desk: Option<JoinHandle<()>>,
}

/// Rows on their way to a centre: their thread, or when it is begun again.
struct UploadPart {
    settings: UploadSettings,
    state: Result<Worker, (Duration, u32)>,
}

/// Everything that works, from the start to the end of the process.
pub struct Parts {
    /// What no reload touches.
    pub process: Process,
    /// The log, for whoever asks for old rows to go.
    pub log: Option<OpenLog>,
    logs: LogKeeper,
    /// How often a log was opened: whoever has another one must be begun anew.
    opening: u64,
    lanes: Vec<LanePart>,
    views: watch::Sender<Vec<LaneView>>,
    status: watch::Sender<Status>,
    lists: Option<Part<Config>>,
    upload: Option<UploadPart>,
    page: Option<PagePart>,
    report: Option<Part<ReportSettings>>,
    codes: ConfigCodes,
}

impl Parts {
    /// None yet. A configuration code asks through `reload` for the configuration to be read anew.
    pub fn new(process: Process, logs: LogKeeper, reload: mpsc::Sender<()>) -> Parts {
        Parts {
            codes: ConfigCodes::new(Arc::clone(&process.in_force), reload),
            process,
            log: None,
            logs,
            opening: 0,
            lanes: Vec::new(),
            views: watch::Sender::new(Vec::new()),
            status: watch::Sender::new(Status::default()),
            lists: None,
            upload: None,
            page: None,
            report: None,
        }
    }

    /// All lanes as the others see them.
    pub fn lanes(&self) -> Vec<LaneView> {
        self.views.borrow().clone()
    }

    /// The device's state, as it is reported.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Asks for the state to be put together now.
    pub fn report_now(&self) {
        if let Some(report) = &self.report {
            // One is on its way already, where this one finds no room.
            let _ = report.worker.0.try_send(());
        }
    }

    /// Puts the first configuration in force.
    ///
    /// # Errors
    /// When it cannot be: what it needs is not there, or no lane has a gate.
    pub async fn begin(&mut self, setup: &Setup, config: &Config) -> Result<(), DaemonError> {
        config.relying()?;
        self.open_log(config);
        self.put_in_force(setup, config).await?;
        let mut lanes = self.lanes.iter_mut();
        match lanes.find_map(|lane| lane.why_not.take()) {
            Some(error) if self.views.borrow().iter().all(LaneView::ended) => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts another configuration in force; what is the same goes on.
    ///
    /// # Errors
    /// When a part cannot be begun; the others are.
    pub async fn change(&mut self, setup: &Setup, config: &Config) -> Result<(), DaemonError> {
        config.relying()?;
        let changed = **self.process.in_force.load() != *config;
        self.process.now_in_force(config);
        if self.log.is_some() && !self.logs.suits(config) {
            self.end_whoever_writes().await;
            self.open_log(config);
        } else if changed {
            self.logs.bind(config);
            self.note_config(config);
        }
        self.put_in_force(setup, config).await
    }

    /// Tries a log that could not be opened. Waits for nothing.
    pub async fn retry_log(&mut self, setup: &Setup, config: &Config) -> Result<(), DaemonError> {
        match self.logs.retry(config) {
            Ok(()) => {
                log::warn!("the scan log can be written again");
                self.open_log(config);
                self.put_in_force(setup, config).await
            }
            Err(trouble) => {
                self.process.log_health.unavailable(trouble);
                Ok(())
            }
        }
    }

    /// Begins again whatever could not be begun and is due.
    pub fn retry(&mut self, setup: &Setup) {
        let now = self.process.uptime.now();
        let mut changed = false;
        for index in 0..self.lanes.len() {
            let Some(failures) = self.lanes[index].is_due(now) else { continue };
            let (settings, screen) = (Arc::clone(&self.lanes[index].settings), self.lanes[index].screen.clone());
            let name = settings.lane.id.clone();
            match LanePart::begin(Arc::clone(&settings), screen.clone(), &self.gear(setup)) {
                Ok(lane) => {
                    log::info!("lane {name}: its gate answers; it works");
                    self.lanes[index] = lane;
                }
                Err(error) => {
                    log::debug!("{error}");
                    self.lanes[index] = LanePart::out_of_service(settings, screen, error, (now, failures));
                }
            }
            changed = true;
        }
        if changed {
            self.show_lanes();
        }
        if let Some(UploadPart { settings, state: Err((until, failures)) }) = &self.upload
            && now >= *until
        {
            let (settings, failures) = (settings.clone(), *failures);
            self.begin_upload(settings, failures);
        }
    }

    /// Ends everything, in order, with gates closed and the log anchored.
    pub async fn end(mut self) {
        self.end_whoever_writes().await;
        self.logs.close();
    }

    fn open_log(&mut self, config: &Config) {
        let Process { time, log_health, .. } = &self.process;
        self.log = self.logs.open(config, time, log_health);
        if self.log.is_some() {
            self.opening += 1;
            self.note_config(config);
        }
    }

    fn note_config(&self, config: &Config) {
        if let Some(log) = &self.log {
            begin_log(config, (&self.process.lists.now(), &self.process.time), log);
        }
    }

    async fn put_in_force(&mut self, setup: &Setup, config: &Config) -> Result<(), DaemonError> {
        self.put_lanes_in_force(setup, LaneSettings::all(config, self.opening)?);
        self.put_page_in_force(config).await;
        self.put_report_in_force(config)?;
        self.put_lists_in_force(setup, config)?;
        self.put_upload_in_force(config);
        Ok(())
    }

    fn gear<'a>(&'a self, setup: &'a Setup) -> LaneGear<'a> {
        let process = &self.process;
        let handles = LaneHandles {
            time: process.time.clone(),
            uptime: process.uptime.clone(),
            lists: process.lists.clone(),
            log_health: process.log_health.clone(),
            metrics: process.metrics.clone(),
            second_line: process.second_line.clone(),
            recent: process.recent.clone(),
            events: process.events.clone(),
            codes: self.codes.clone(),
        };
        LaneGear { source: &setup.source, log: self.log.as_ref(), handles }
    }

    fn show_lanes(&self) {
        self.views.send_replace(self.lanes.iter().map(|lane| lane.view.clone()).collect());
    }

    fn put_lanes_in_force(&mut self, setup: &Setup, wanted: Vec<LaneSettings>) {
        let (mut kept, ended): (Vec<LanePart>, Vec<LanePart>) =
            std::mem::take(&mut self.lanes).into_iter().partition(|lane| wanted.contains(&lane.settings));
        if ended.is_empty() && kept.len() == wanted.len() {
            // Nothing but their order can be another.
            let place = |lane: &LanePart| wanted.iter().position(|settings| *settings == *lane.settings);
            kept.sort_by_key(place);
            self.lanes = kept;
            return self.show_lanes();
        }
        // All are asked before any is waited for.
        ended.iter().for_each(LanePart::stop);
        let mut before = BTreeMap::new();
        for lane in ended {
            before.insert(lane.settings.lane.id.clone(), (Arc::clone(&lane.settings), lane.screen.clone()));
            lane.end(self.process.clock());
        }
        let now = self.process.uptime.now();
        let gear = self.gear(setup);
        let mut lanes = Vec::new();
        for settings in wanted {
            lanes.push(match kept.iter().position(|lane| *lane.settings == settings) {
                Some(place) => kept.swap_remove(place),
                None => begun(Arc::new(settings.clone()), before.remove(&settings.lane.id), &gear, now),
            });
        }
        self.lanes = lanes;
        self.show_lanes();
    }

    async fn put_page_in_force(&mut self, config: &Config) {
        let (strings, voice) = (face::words(config), face::voice(config));
        let hello = face::hello(config, &strings, &voice);
        let settings = PageSettings::of(config, &strings, hello.clone(), self.opening);
        let serves = |page: &PagePart| page.served.is_some() || !settings.page.enabled;
        if self.page.as_ref().is_some_and(|page| page.settings == settings && serves(page)) {
            return;
        }
        // The report fills the screens of the page that it was begun with.
        self.end_report();
        self.end_page().await;
        let screen = |lane: &LanePart| (lane.settings.lane.id.clone(), lane.screen.clone());
        let process = &self.process;
        let overrides = LoggedOverrides {
            post: config.checkpoint.id.clone(),
            officers: config.page.officers.clone(),
            time: process.time.clone(),
            lists: process.lists.clone(),
            recent: process.recent.clone(),
            second_line: process.second_line.clone(),
            writer: self.log.as_ref().map(|log| log.writer.clone()),
            heard: Arc::clone(&process.signed_before),
        };
        let state = Arc::new(PageState {
            hub: Hub::new(hello, self.lanes.iter().map(screen).collect()),
            metrics: process.metrics.clone(),
            strings: settings.strings.clone(),
            voice,
            status: self.status.subscribe(),
            overrides: Box::new(overrides),
            second_line: process.second_line.clone(),
            house: face::house(&config.page.viewers),
        });
        let (stop, stops) = watch::channel(false);
        let enabled = settings.page.enabled;
        let served = enabled.then(|| start::page(settings.page.listen.0, &state, stops.clone())).flatten();
        let desk = settings.page.desk_listen;
        let desk = desk.and_then(|desk| start::desk(desk, &settings.places, process.clock(), &state, stops));
        if let Some((at, _)) = &served {
            process.events.emit(DaemonEvent::Page(*at));
        }
        self.page = Some(PagePart { settings, state, stop, served: served.map(|(_, task)| task), desk });
    }

    fn put_report_in_force(&mut self, config: &Config) -> Result<(), DaemonError> {
        let settings = ReportSettings::of(config, self.opening);
        if self.report.as_ref().is_some_and(|report| report.settings == settings) {
            return Ok(());
        }
        self.end_report();
        let Some(page) = &self.page else { return Ok(()) };
        let reader = self.log.as_ref().map(|log| Reader::open(&log.path)).transpose().map_err(DaemonError::Log)?;
        let process = &self.process;
        let handles = ReportHandles {
            time: process.time.clone(),
            uptime: process.uptime.clone(),
            lists: process.lists.clone(),
            lists_health: process.lists_health.clone(),
            log_health: process.log_health.clone(),
            upload: process.upload.subscribe(),
            lanes: self.views.subscribe(),
            recent: process.recent.clone(),
            metrics: process.metrics.clone(),
            instance: process.instance.clone(),
            log: reader.zip(self.log.as_ref().map(|log| log.writer.clone())),
        };
        let reporter = Reporter::new(settings.clone(), handles);
        let worker = start::report(reporter, Arc::clone(&page.state), self.status.clone())?;
        self.report = Some(Part { settings, worker });
        Ok(())
    }

    fn put_lists_in_force(&mut self, setup: &Setup, config: &Config) -> Result<(), DaemonError> {
        let settings = settings::of_lists(config);
        if self.lists.as_ref().is_some_and(|lists| lists.settings == settings) {
            return Ok(());
        }
        if let Some(Part { worker, .. }) = self.lists.take() {
            self.end_worker(worker);
        }
        let process = &self.process;
        let updater = ListUpdater {
            config: settings.clone(),
            load: Arc::clone(&setup.lists),
            time: process.time.clone(),
            lists: process.lists.clone(),
            health: process.lists_health.clone(),
            metrics: process.metrics.clone(),
        };
        self.lists = Some(Part { settings, worker: start::list_updater(updater)? });
        Ok(())
    }

    fn put_upload_in_force(&mut self, config: &Config) {
        let wanted = UploadSettings::of(config, self.opening).filter(|_| self.log.is_some());
        if self.upload.as_ref().map(|upload| &upload.settings) == wanted.as_ref() {
            return;
        }
        self.end_upload();
        match wanted {
            Some(settings) => self.begin_upload(settings, 0),
            None => drop(self.process.upload.send_replace(sync::upload::Status::default())),
        }
    }

    /// What is missing for it costs the rows their way, and nobody their passage.
    fn begin_upload(&mut self, settings: UploadSettings, failures: u32) {
        let Some(log) = &self.log else { return };
        let begun = start::upload(&settings, &self.process, log, self.status.subscribe());
        let why = begun.as_ref().err().map(ToString::to_string);
        if let Some(why) = why.as_ref().filter(|_| failures == 0) {
            log::error!("rows stay here: {why}");
        }
        self.process.upload.send_modify(|status| status.cannot_begin = why);
        let until = self.process.uptime.now() + UPLOAD_AGAIN.pause(failures.saturating_add(1));
        let state = begun.map_err(|_| (until, failures.saturating_add(1)));
        self.upload = Some(UploadPart { settings, state });
    }

    fn end_upload(&mut self) {
        if let Some(UploadPart { state: Ok(worker), .. }) = self.upload.take() {
            self.end_worker(worker);
        }
    }

    fn end_report(&mut self) {
        if let Some(Part { worker, .. }) = self.report.take() {
            self.end_worker(worker);
        }
    }

    async fn end_page(&mut self) {
        let Some(page) = self.page.take() else { return };
        let _ = page.stop.send(true);
        for served in [page.served, page.desk].into_iter().flatten() {
            // It lets go of its address; whoever still reads is let go with it.
            let _ = timeout(PATIENCE, served).await;
        }
    }

    fn end_worker(&self, (stop, thread): Worker) {
        drop(stop);
        join_within(self.process.clock(), thread, PATIENCE);
    }

    /// Ends everything, and whoever holds the log above all: it can only be closed when nobody writes to it.
    async fn end_whoever_writes(&mut self) {
        self.lanes.iter().for_each(LanePart::stop);
        for lane in std::mem::take(&mut self.lanes) {
            lane.end(self.process.clock());
        }
        self.show_lanes();
        self.end_upload();
        if let Some(Part { worker, .. }) = self.lists.take() {
            self.end_worker(worker);
        }
        self.end_report();
        self.end_page().await;
        self.log = None;
    }
}

/// A lane with these settings; where its gate cannot be had, as it was; and where that cannot be had either, out of service.
fn begun(
    settings: Arc<LaneSettings>,
    before: Option<(Arc<LaneSettings>, LaneScreen)>,
    gear: &LaneGear<'_>,
    now: Duration,
) -> LanePart {
    let (old, screen) = before.unzip();
    let screen = screen.unwrap_or_default();
    let error = match LanePart::begin(Arc::clone(&settings), screen.clone(), gear) {
        Ok(lane) => return lane,
        Err(error) => error,
    };
    let old = old.map(|old| LaneSettings { log: settings.log, ..LaneSettings::clone(&old) });
    if let Some(old) = old.filter(|old| *old != *settings)
        && let Ok(lane) = LanePart::begin(Arc::new(old), screen.clone(), gear)
    {
        log::error!("{error}; this lane goes on as it was");
        return lane;
    }
    log::error!("{error}; this lane takes nobody, the others work");
    LanePart::out_of_service(settings, screen, error, (now, 0))
}

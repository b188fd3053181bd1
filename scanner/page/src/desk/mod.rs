//! The second line's desk on another machine: the desk's page and nothing else, over TLS, for machines that were paired.
//!
//! The network is hostile. Whoever has no session is shown the pairing page and gets nothing of the gate: no card, no lane, no picture, no
//! number. A session lets a machine see cards and take them away; a decision needs an officer's signature as on the loopback.

pub mod identity;
pub mod pairing;

use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use host::{
    atomic_file::{self, Readers},
    clock::Clock,
};
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    places::{Place, Places},
    server::{self, DONE, HEAD_DEADLINE, MAX_BODY, OVERRIDE, PageState},
    visitor::Visitor,
};
use pairing::{Offer, SESSION_LASTS_MS, Sessions, Tried, Tries};

/// Connections of one address. Stops one machine from taking every place.
const OF_ONE_ADDRESS: usize = 12;
/// Between two codes that are looked at. Stops a machine that guesses from being quick about it.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// The name of the cookie; the prefix makes browsers keep it to this host and to TLS (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-desk";
const PAIR: &str = "/pair";
const LEAVE: &str = "/desk/leave";
/// What whoever has no session may have: the pairing page, its words, and nothing that says anything about this gate.
const OPEN: [&str; 5] = [PAIR, "/assets/pair.js", "/assets/words.js", "/assets/desk.css", "/strings.json"];

/// The desk of one gate, with the files in the runtime folder by which it is paired.
#[derive(Debug)]
pub struct Desk {
    page: Arc<PageState>,
    files: PairingFiles,
    clock: Clock,
    sessions: Mutex<Sessions>,
    tries: tokio::sync::Mutex<Tries>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// Where an offer to pair and the sessions lie. The runtime folder goes with the power.
#[derive(Clone, Debug)]
pub struct PairingFiles {
    runtime: PathBuf,
}

impl PairingFiles {
    /// Those of a runtime folder.
    #[must_use]
    pub fn of(runtime: PathBuf) -> PairingFiles {
        PairingFiles { runtime }
    }

    fn offer(&self) -> PathBuf {
        self.runtime.join("desk-pairing")
    }

    fn sessions(&self) -> PathBuf {
        self.runtime.join("desk-sessions")
    }

    /// Offers to pair with a new code, which is told.
    ///
    /// # Errors
    /// When there is no randomness, or the runtime folder cannot be written to.
    pub fn offer_code(&self, clock: &Clock) -> io::Result<String> {
        let mut random = [0; 64];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let code = pairing::code(&random).ok_or_else(|| io::Error::other("the random bytes did not suffice; again"))?;
        fs::create_dir_all(&self.runtime)?;
        let offer = Offer::of(&code, clock.unix_millis());
        atomic_file::replace(&self.offer(), offer.text().as_bytes(), Readers::Owner)?;
        Ok(code)
    }

    fn withdraw(&self) {
        let _ = fs::remove_file(self.offer());
    }

    fn keep(&self, sessions: &Sessions) {
        if let Err(error) = atomic_file::replace(&self.sessions(), sessions.text().as_bytes(), Readers::Owner) {
            log::warn!("{}: {error}; desks must be paired again after a restart", self.sessions().display());
        }
    }
}

impl Desk {
    /// A desk with the sessions that lasted over a reload or a restart.
    #[must_use]
    pub fn new(page: Arc<PageState>, files: PairingFiles, clock: Clock) -> Desk {
        let sessions = fs::read_to_string(files.sessions()).map(|text| Sessions::parse(&text)).unwrap_or_default();
        Desk {
            page,
            files,
            clock,
            sessions: Mutex::new(sessions),
            tries: Default::default(),
            addresses: Mutex::default(),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection of this address, given back when dropped.
    fn connection_of(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        Some(OfAddress { desk: Arc::clone(self), address })
    }
}

struct OfAddress {
    desk: Arc<Desk>,
    address: IpAddr,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut addresses = self.desk.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Takes an address of this machine, on any of its networks.
///
/// # Errors
/// When it is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    server::listen(address)
}

/// Serves until `stop` says so.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let router = router(Arc::clone(&desk));
    let places = Places::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((socket, client)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(of_address) = desk.connection_of(client.ip()) else { continue };
        let place = places.take(Visitor::Stranger);
        let (router, tls, mut stop) = (router.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            let _of_address = of_address;
            tokio::select! {
                () = connection(socket, tls, router, &place) => (),
                () = place.lost() => (),
                _ = stop.wait_for(|stop| *stop) => (),
            }
        });
    }
}

async fn connection(socket: TcpStream, tls: TlsAcceptor, router: Router, place: &Place) {
    let shaken = timeout(HEAD_DEADLINE, tls.accept(server::impatient(socket))).await;
    let Ok(Ok(stream)) = shaken else { return };
    server::speak(stream, router, Visitor::Stranger, place).await;
}

fn router(desk: Arc<Desk>) -> Router {
    let page = Arc::clone(&desk.page);
    let shown = Router::new()
        .route("/desk", get(|| server::asset("text/html; charset=utf-8", include_bytes!("../assets/desk.html"))))
        .route("/desk.json", get(server::waiting))
        .route(DONE, post(server::done))
        .route(OVERRIDE, post(server::decide))
        .route("/strings.json", get(server::strings))
        .with_state(page);
    Router::new()
        .route("/", get(|| async { Redirect::to("/desk") }))
        .route(
            PAIR,
            get(|| server::asset("text/html; charset=utf-8", include_bytes!("../assets/pair.html"))).post(pair),
        )
        .route(LEAVE, post(leave))
        .route(
            "/assets/pair.js",
            get(|| server::asset("text/javascript; charset=utf-8", include_bytes!("../assets/pair.js"))),
        )
        .route(
            "/assets/desk.css",
            get(|| server::asset("text/css; charset=utf-8", include_bytes!("../assets/desk.css"))),
        )
        .route(
            "/assets/desk.js",
            get(|| server::asset("text/javascript; charset=utf-8", include_bytes!("../assets/desk.js"))),
        )
        .route(
            "/assets/officer.js",
            get(|| server::asset("text/javascript; charset=utf-8", include_bytes!("../assets/officer.js"))),
        )
        .route(
            "/assets/words.js",
            get(|| server::asset("text/javascript; charset=utf-8", include_bytes!("../assets/words.js"))),
        )
        .with_state(Arc::clone(&desk))
        .merge(shown)
        .layer(middleware::from_fn_with_state(desk, door))
}

/// Who may pass: with a session, to the desk; without one, to the pairing page. A POST comes from a page of this very host.
async fn door(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let posted = request.method() == Method::POST && [OVERRIDE, DONE, PAIR, LEAVE].contains(&path);
    if request.method() != Method::GET && !posted {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if posted && !from_this_host(request.headers()) {
        return (StatusCode::FORBIDDEN, "this is sent by the desk's page only\n").into_response();
    }
    let known = secret(request.headers()).is_some_and(|secret| desk.sessions().knows(secret, desk.clock.unix_millis()));
    let response = if known || OPEN.contains(&path) {
        next.run(request).await
    } else if matches!(path, "/" | "/desk") {
        Redirect::to(PAIR).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, "pair this machine first\n").into_response()
    };
    server::sealed(response)
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    cookies.flat_map(|cookies| cookies.split("; ")).find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
}

fn from_this_host(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let same = text(header::ORIGIN).and_then(|origin| origin.strip_prefix("https://")) == text(header::HOST);
    same && text(header::HOST).is_some() && text(header::CONTENT_TYPE) == Some("application/json")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    code: String,
}

/// Somebody typed a code. One is looked at at a time, and none soon after another.
async fn pair(State(desk): State<Arc<Desk>>, body: Body) -> Response {
    let read = timeout(HEAD_DEADLINE, axum::body::to_bytes(body, MAX_BODY)).await;
    let Ok(Ok(body)) = read else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Ok(Typed { code }) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let Ok(mut tries) = desk.tries.try_lock() else { return StatusCode::TOO_MANY_REQUESTS.into_response() };
    tokio::time::sleep(BETWEEN_TRIES).await;
    let offer = fs::read_to_string(desk.files.offer()).ok().and_then(|text| Offer::parse(&text));
    let Some(offer) = offer else { return StatusCode::GONE.into_response() };
    let now_ms = desk.clock.unix_millis();
    let tried = tries.attempt(offer, &code, now_ms);
    drop(tries);
    match tried {
        Tried::Wrong => return StatusCode::UNAUTHORIZED.into_response(),
        Tried::Void | Tried::Expired => {
            log::warn!("desk: an offer to pair ended without a desk: {tried:?}");
            desk.files.withdraw();
            return StatusCode::GONE.into_response();
        }
        Tried::Right => desk.files.withdraw(),
    }
    let mut random = [0; 32];
    if getrandom::fill(&mut random).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut sessions = desk.sessions();
    let secret = sessions.begin(&random, now_ms);
    desk.files.keep(&sessions);
    drop(sessions);
    log::info!("desk: a machine was paired");
    let cookie =
        format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}", SESSION_LASTS_MS / 1000);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

/// The machine is no desk any more: whoever kept its cookie has nothing.
async fn leave(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if let Some(secret) = secret(&headers) {
        let mut sessions = desk.sessions();
        sessions.end(secret);
        desk.files.keep(&sessions);
        log::info!("desk: a machine left");
    }
    let gone = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
}

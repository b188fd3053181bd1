//! The loopback server. Loopback is still hostile: any page in the kiosk's browser can reach it, and so can any local user.
//!
//! So: GET, and one POST with an officer's signature that only this page's own scripts can send; the Host header must name the loopback (against DNS rebinding), a content security policy without inline
//! scripts, a bounded number of connections in which a newcomer always finds a place, a bounded request head, and a client that does not
//! read is dropped. The aiming picture and names are for this gate's own screens.

use std::{convert::Infallible, future::pending, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use trustlist::code::MaskedName;

use super::{
    hub::{Hub, Person, Subscription},
    overrides::{Override, OverrideRefusal, OverrideService},
    places::{Place, Places},
    second_line::{DealtWith, SecondLineBoard},
    status::Status,
    visitor::{House, Visitor},
    voice::Voice,
};
use crate::metrics::Metrics;

/// Request line and headers, in bytes. Stops a head without an end.
const MAX_HEAD: usize = 8 * 1024;
/// A head must be complete by then. Stops a client that sends one byte a minute.
pub(crate) const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Longest body of a POST, in bytes.
pub(crate) const MAX_BODY: usize = 1024;
/// A write must progress within this. Stops a client that never reads.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// What the system may keep for one client that is slow to read, in bytes: about three aiming pictures. Without it Linux keeps
/// up to 4 MB (tcp_wmem), in which a client that never reads hides from the deadline for minutes.
const MAX_UNSENT: u32 = 64 * 1024;
/// Connections that wait to be accepted, or to be closed because there are too many.
const BACKLOG: u32 = 128;
/// A silent event stream says it is alive this often, so that a dead daemon is noticed by the page and a dead page here.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Scripts, styles and pictures from here only; nothing inline, nothing framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the server shows.
#[derive(Debug)]
pub struct PageState {
    /// The lanes' slots.
    pub hub: Hub,
    /// The counters.
    pub metrics: Metrics,
    /// The strings of all languages, as JSON.
    pub strings: String,
    /// What the site recorded, to be spoken.
    pub voice: Voice,
    /// The device's state, renewed once a second.
    pub status: watch::Receiver<Status>,
    /// What the page may do.
    pub overrides: Box<dyn OverrideService>,
    /// Who waits at the second line.
    pub second_line: SecondLineBoard,
    /// Whose browsers are this gate's screens.
    pub house: House,
}

/// Binds the loopback address; anything else is refused.
///
/// # Errors
/// When `address` is not a loopback address, or is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the page is served on the loopback only; {address} is reachable from outside (use 127.0.0.1)"),
        ));
    }
    listen(address)
}

/// Takes an address, with the bounds of what waits there.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A daemon that was replaced a moment ago left connections that still fade (as tokio's own `bind` does it).
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Before listening, so that what is accepted has it (tcp(7)).
    socket.set_send_buffer_size(MAX_UNSENT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` says so. A connection's fault ends that connection only.
pub async fn serve(listener: TcpListener, shown: Arc<PageState>, mut stop: watch::Receiver<bool>) {
    let house = shown.house.clone();
    let router = router(shown);
    let places = Places::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((socket, client)) = accepted else {
            // Out of descriptors: let some close before the next try.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(server) = socket.local_addr() else { continue };
        let visitor = house.visitor(client, server);
        let place = places.take(visitor);
        let (router, mut stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection(socket, router, visitor, &place) => (),
                () = place.lost() => (),
                _ = stop.wait_for(|stop| *stop) => (),
            }
        });
    }
}

async fn connection(socket: TcpStream, router: Router, visitor: Visitor, place: &Place) {
    speak(impatient(socket), router, visitor, place).await;
}

/// A connection whose client must go on reading.
pub(crate) fn impatient(socket: TcpStream) -> Pin<Box<TimeoutStream<TcpStream>>> {
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_DEADLINE));
    Box::pin(socket)
}

/// HTTP on a connection, within the bounds.
pub(crate) async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    visitor: Visitor,
    place: &Place,
) {
    let pages = TowerToHyperService::new(router);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        place.asked();
        request.extensions_mut().insert(visitor);
        pages.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        log::debug!("page: a connection ended: {error}");
    }
}

fn router(shown: Arc<PageState>) -> Router {
    Router::new()
        .route("/", get(|| asset("text/html; charset=utf-8", include_bytes!("assets/lane.html"))))
        .route("/assets/lane.css", get(|| asset("text/css; charset=utf-8", include_bytes!("assets/lane.css"))))
        .route("/assets/lane.js", get(|| asset("text/javascript; charset=utf-8", include_bytes!("assets/lane.js"))))
        .route("/operator", get(|| asset("text/html; charset=utf-8", include_bytes!("assets/operator.html"))))
        .route("/assets/operator.css", get(|| asset("text/css; charset=utf-8", include_bytes!("assets/operator.css"))))
        .route(
            "/assets/operator.js",
            get(|| asset("text/javascript; charset=utf-8", include_bytes!("assets/operator.js"))),
        )
        .route(
            "/assets/officer.js",
            get(|| asset("text/javascript; charset=utf-8", include_bytes!("assets/officer.js"))),
        )
        .route("/desk", get(|| asset("text/html; charset=utf-8", include_bytes!("assets/desk.html"))))
        .route("/assets/desk.css", get(|| asset("text/css; charset=utf-8", include_bytes!("assets/desk.css"))))
        .route("/assets/desk.js", get(|| asset("text/javascript; charset=utf-8", include_bytes!("assets/desk.js"))))
        .route("/assets/words.js", get(|| asset("text/javascript; charset=utf-8", include_bytes!("assets/words.js"))))
        .route("/desk.json", get(waiting))
        .route(DONE, post(done))
        .route("/strings.json", get(strings))
        .route("/voice/{language}/{name}", get(recording))
        .route("/status.json", get(status))
        .route("/events", get(events))
        .route("/metrics", get(metrics))
        .route("/attestation.txt", get(attestation))
        .route("/attestation.svg", get(attestation_symbol))
        .route(OVERRIDE, post(decide))
        .layer(middleware::from_fn(guard))
        .with_state(shown)
}

/// What can be posted: an officer's signed decision about a scan…
pub(crate) const OVERRIDE: &str = "/override";
/// …and that a traveller at the second line has been dealt with, which changes no verdict.
pub(crate) const DONE: &str = "/desk/done";

/// Refuses what no kiosk page would send, and sets the headers that keep a page to itself.
async fn guard(request: Request, next: Next) -> Response {
    let posted = request.method() == Method::POST && matches!(request.uri().path(), OVERRIDE | DONE);
    if request.method() != Method::GET && !posted {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response();
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !names_the_loopback(host) {
        return (StatusCode::MISDIRECTED_REQUEST, "this page answers on the loopback only\n").into_response();
    }
    if posted && !from_our_page(request.headers()) {
        return (StatusCode::FORBIDDEN, "this is sent by the desk's page only\n").into_response();
    }
    sealed(next.run(request).await)
}

/// With the headers that keep a page to itself.
pub(crate) fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a POST can only have come from a page of this server: no other page may send JSON here unasked, nor hide its origin.
fn from_our_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin =
        text(header::ORIGIN).is_none_or(|origin| origin.strip_prefix("http://").is_some_and(names_the_loopback));
    origin && text(header::CONTENT_TYPE) == Some("application/json")
}

/// Whether a Host header names this machine's loopback, whatever the port.
fn names_the_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

pub(crate) async fn asset(kind: &'static str, bytes: &'static [u8]) -> Response {
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}

pub(crate) async fn strings(State(shown): State<Arc<PageState>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shown.strings.clone()).into_response()
}

async fn recording(State(shown): State<Arc<PageState>>, Path((language, name)): Path<(String, String)>) -> Response {
    match shown.voice.recording(&language, &name) {
        Some(recording) => ([(header::CONTENT_TYPE, recording.kind)], recording.bytes.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, "nobody recorded this\n").into_response(),
    }
}

async fn status(State(shown): State<Arc<PageState>>) -> Response {
    let status = serde_json::to_string(&*shown.status.borrow()).expect("a status is plain data");
    ([(header::CONTENT_TYPE, "application/json")], status).into_response()
}

async fn metrics(State(shown): State<Arc<PageState>>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    (headers, shown.metrics.text()).into_response()
}

/// An officer's word. The disk is waited for on a thread of its own.
pub(crate) async fn decide(State(shown): State<Arc<PageState>>, body: Body) -> Response {
    let read = timeout(HEAD_DEADLINE, axum::body::to_bytes(body, MAX_BODY)).await;
    let Ok(Ok(body)) = read else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Ok(word) = serde_json::from_slice::<Override>(&body) else {
        return (StatusCode::BAD_REQUEST, "expected scan, verdict, role, why, signed_ms, key and signature\n")
            .into_response();
    };
    let decided = tokio::task::spawn_blocking(move || shown.overrides.decide(&word)).await;
    match decided.unwrap_or(Err(OverrideRefusal::NotWritten)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(declined) => {
            let code = match declined {
                OverrideRefusal::NotAnOfficer | OverrideRefusal::NoOfficers => StatusCode::FORBIDDEN,
                OverrideRefusal::NotNow => StatusCode::CONFLICT,
                OverrideRefusal::UnknownScan => StatusCode::NOT_FOUND,
                OverrideRefusal::NotAVerdict => StatusCode::BAD_REQUEST,
                OverrideRefusal::NotWritten => StatusCode::SERVICE_UNAVAILABLE,
            };
            (code, format!("{declined}\n")).into_response()
        }
    }
}

/// Who waits at the second line.
pub(crate) async fn waiting(State(shown): State<Arc<PageState>>) -> Response {
    let line = serde_json::to_string(&shown.second_line.line()).expect("cards are plain data");
    ([(header::CONTENT_TYPE, "application/json")], line).into_response()
}

pub(crate) async fn done(State(shown): State<Arc<PageState>>, body: Body) -> Response {
    let read = timeout(HEAD_DEADLINE, axum::body::to_bytes(body, MAX_BODY)).await;
    let Ok(Ok(body)) = read else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    match serde_json::from_slice::<DealtWith>(&body) {
        Ok(DealtWith { scan }) if shown.second_line.done(scan) => StatusCode::NO_CONTENT.into_response(),
        Ok(_) => (StatusCode::NOT_FOUND, "nobody with this scan waits\n").into_response(),
        Err(_) => (StatusCode::BAD_REQUEST, "expected the id of a scan\n").into_response(),
    }
}

async fn attested(shown: Arc<PageState>) -> Option<String> {
    tokio::task::spawn_blocking(move || shown.overrides.attestation()).await.ok().flatten()
}

async fn attestation(State(shown): State<Arc<PageState>>) -> Response {
    match attested(shown).await {
        Some(note) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "there is no scan log to attest\n").into_response(),
    }
}

/// The same as a symbol, for an inspector's phone.
async fn attestation_symbol(State(shown): State<Arc<PageState>>) -> Response {
    let note = attested(shown).await;
    let code = note.and_then(|note| QrCode::with_error_correction_level(note, EcLevel::L).ok());
    match code {
        Some(code) => {
            let picture = code.render::<svg::Color<'_>>().min_dimensions(600, 600).build();
            ([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "there is no scan log to attest\n").into_response(),
    }
}

#[derive(Deserialize)]
struct Which {
    lane: Option<String>,
}

async fn events(
    State(shown): State<Arc<PageState>>,
    Extension(visitor): Extension<Visitor>,
    Query(which): Query<Which>,
) -> Response {
    let Some(subscription) = shown.hub.subscribe(which.lane.as_deref(), visitor) else {
        return (StatusCode::NOT_FOUND, "there is no such lane\n").into_response();
    };
    let first = Listener { subscription, said_hello: false };
    let events = stream::unfold(first, |mut listener| async move {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), listener))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

/// One page's event stream: first everything as it stands, then each change, newest only.
struct Listener {
    subscription: Subscription,
    said_hello: bool,
}

impl Listener {
    /// The next piece of the stream; `None` when the daemon stops.
    async fn next(&mut self) -> Option<String> {
        let Subscription { hello, state, person, band, besides } = &mut self.subscription;
        if !self.said_hello {
            self.said_hello = true;
            let now = [
                event("hello", hello),
                event("band", &*band.borrow_and_update()),
                event("besides", &*besides.borrow_and_update()),
                event("state", &*state.borrow_and_update()),
                event("name", &person.as_mut().and_then(|person| shown(&person.name.borrow_and_update()))),
            ];
            return Some(now.concat());
        }
        let changed = async {
            tokio::select! {
                biased;
                changed = state.changed() => changed.ok().map(|()| event("state", &*state.borrow_and_update())),
                event = changed_person(person) => event,
                changed = besides.changed() => changed.ok().map(|()| event("besides", &*besides.borrow_and_update())),
                changed = band.changed() => changed.ok().map(|()| event("band", &*band.borrow_and_update())),
            }
        };
        timeout(KEEP_ALIVE, changed).await.unwrap_or_else(|_| Some(event("alive", &true)))
    }
}

/// What is new of whoever stands before the lane; nothing ever, for those who may not see it.
async fn changed_person(person: &mut Option<Person>) -> Option<String> {
    let Some(Person { preview, name }) = person else { return pending().await };
    tokio::select! {
        biased;
        changed = name.changed() => changed.ok().map(|()| event("name", &shown(&name.borrow_and_update()))),
        changed = preview.changed() => changed.ok().map(|()| event("preview", &*preview.borrow_and_update())),
    }
}

fn shown(name: &Option<MaskedName>) -> Option<String> {
    name.as_ref().map(|name| name.text().to_owned())
}

fn event(name: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("a view is plain data");
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_name_that_was_pointed_at_the_loopback_is_turned_away() {
        for (host, good) in [
            ("127.0.0.1:8380", true),
            ("localhost", true),
            ("[::1]:8380", true),
            ("[::1]", true),
            ("evil.example:8380", false),
            ("127.0.0.1.evil.example", false),
            ("localhost:80:80", false),
            ("", false),
        ] {
            assert_eq!(names_the_loopback(host), good, "{host}");
        }
    }
}

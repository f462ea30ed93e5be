//! A server for one folder of files and browsers on the same machine. A page that tests itself tells it how far it is, and
//! what came out.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::Sender;

use anyhow::Context as _;
use fs_err as fs;
use oxhttp::model::header::{CACHE_CONTROL, CONTENT_TYPE};
use oxhttp::model::{Body, HeaderValue, Method, Request, Response, StatusCode};
use oxhttp::{ListeningServer, Server};

const LONGEST: u64 = 4 << 20;
/// An empty picture: what a page waits for that must not be loaded before it has reported.
const PIXEL: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Progress(String),
    Report(String),
}

/// Serves a folder; `tell` hears what a page tells.
pub(super) fn start(folder: &Path, address: SocketAddr, tell: Sender<Told>) -> anyhow::Result<ListeningServer> {
    let (folder, reported) = (folder.to_owned(), OnceLock::new());
    let server = Server::new(move |request| {
        let found = answer(request, &folder, &reported, &tell);
        let answer = found.map(|(kind, body)| Response::builder().header(CONTENT_TYPE, kind).body(body.into()));
        let answer = answer.unwrap_or_else(|status| Response::builder().status(status).body(Body::empty()));
        let mut answer = answer.unwrap_or_default();
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    });
    server.bind(address).spawn().with_context(|| format!("listening on {address}"))
}

fn answer(
    request: &mut Request<Body>,
    folder: &Path,
    reported: &OnceLock<()>,
    tell: &Sender<Told>,
) -> Result<(&'static str, Vec<u8>), StatusCode> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut told = |of: fn(String) -> Told| {
        let mut text = String::new();
        let read = request.body_mut().take(LONGEST).read_to_string(&mut text);
        read.map_err(|_| StatusCode::BAD_REQUEST)?;
        // Nobody listens any more once the report is there.
        let _ = tell.send(of(text));
        Ok(("text/plain", Vec::new()))
    };
    match (&method, path.as_str()) {
        (&Method::POST, "/progress") => told(Told::Progress),
        (&Method::POST, "/report") => {
            let answer = told(Told::Report);
            reported.get_or_init(|| ());
            answer
        }
        (&Method::GET, "/until-reported") => {
            reported.wait();
            Ok(("image/svg+xml", PIXEL.into()))
        }
        (&Method::GET, path) => file(folder, path).ok_or(StatusCode::NOT_FOUND),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// A file of the folder or of one below, of which no name begins with a dot.
fn file(folder: &Path, path: &str) -> Option<(&'static str, Vec<u8>)> {
    let name = if path == "/" { "index.html" } else { path.strip_prefix('/')? };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.') || !part.chars().all(is_plain)) {
        return None;
    }
    let kind = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        // A browser compiles it while it comes, if it is called so.
        "wasm" => "application/wasm",
        "png" => "image/png",
        "safetensors" | "tza" => "application/octet-stream",
        _ => return None,
    };
    Some((kind, fs::read(folder.join(name)).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn files_are_served_and_reports_are_heard() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        fs::create_dir(folder.path().join("below")).expect("a folder in it");
        for (name, text) in
            [("index.html", "<p>here"), ("secret", "of no kind"), ("below/page.js", "1"), ("below/.hidden.js", "2")]
        {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let (tell, told) = channel();
        let reported = OnceLock::new();
        let ask = |method: Method, path: &str, body: &'static str| {
            let request = Request::builder().method(method).uri(path).body(Body::from(body));
            answer(&mut request.expect("a request"), folder.path(), &reported, &tell)
        };
        let get = |path| ask(Method::GET, path, "");
        assert_eq!(get("/?test"), Ok(("text/html; charset=utf-8", b"<p>here".to_vec())));
        assert_eq!(get("/below/page.js"), Ok(("text/javascript; charset=utf-8", b"1".to_vec())));
        for path in [
            "/../Cargo.toml",
            "/below/../index.html",
            "/.hidden",
            "/below/.hidden.js",
            "/none.js",
            "/below",
            "/secret",
            "//etc/passwd",
            "/%2e%2e",
        ] {
            assert_eq!(get(path), Err(StatusCode::NOT_FOUND), "{path}");
        }
        assert_eq!(ask(Method::DELETE, "/index.html", ""), Err(StatusCode::METHOD_NOT_ALLOWED));
        ask(Method::POST, "/progress", "half").expect("told");
        assert!(reported.get().is_none(), "nothing is reported yet");
        ask(Method::POST, "/report", "{}").expect("told");
        assert!(get("/until-reported").is_ok_and(|(kind, _)| kind == "image/svg+xml"));
        let all: Vec<Told> = told.try_iter().collect();
        assert_eq!(all, [Told::Progress("half".into()), Told::Report("{}".into())]);
    }
}

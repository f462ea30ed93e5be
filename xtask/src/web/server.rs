//! A server for one folder of files and one browser on the same machine: HTTP/1.1, one request a connection, a thread for
//! each. A page that tests itself tells it how far it is, and what came out.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;

/// Bytes of a request's head, and of what a page tells.
const LONGEST_HEAD: u64 = 16 << 10;
const LONGEST_BODY: u64 = 4 << 20;
/// A connection that says nothing for so long is closed.
const PATIENCE: Duration = Duration::from_secs(30);
/// An empty picture: what a page waits for that must not be loaded before it has reported.
const PIXEL: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>";

/// What a page tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// What it is about to do.
    Progress(String),
    /// What came out.
    Report(String),
}

/// A folder that is served.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    folder: PathBuf,
    reported: Latch,
}

/// Opens once, for all who wait.
#[derive(Debug, Default)]
struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
    body: String,
}

#[derive(Debug)]
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Server {
    /// Listens on this machine alone, on a port or, for 0, on any that is free.
    pub(super) fn new(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("listening on {port}"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, folder: folder.to_owned(), reported: Latch::default() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for ever. `tell` hears what a page tells.
    pub(super) fn run(&self, tell: impl Fn(Told) + Sync) {
        let tell = &tell;
        std::thread::scope(|scope| {
            // What fails with one connection is that browser's to show.
            for stream in self.listener.incoming().flatten() {
                scope.spawn(move || self.converse(stream, tell));
            }
        });
    }

    fn converse(&self, mut stream: TcpStream, tell: impl Fn(Told)) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let answer = match read(&mut BufReader::new(&stream))? {
            Some(request) => self.answer(&request, tell),
            None => Answer::error("400 Bad Request"),
        };
        let Answer { status, kind, body } = answer;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n"
        )?;
        stream.write_all(&body)?;
        stream.flush()
    }

    fn answer(&self, request: &Request, tell: impl Fn(Told)) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/progress") => {
                tell(Told::Progress(request.body.clone()));
                Answer::ok("text/plain", Vec::new())
            }
            ("POST", "/report") => {
                tell(Told::Report(request.body.clone()));
                self.reported.open();
                Answer::ok("text/plain", Vec::new())
            }
            ("GET", "/until-reported") => {
                self.reported.wait();
                Answer::ok("image/svg+xml", PIXEL.to_vec())
            }
            ("GET", path) => self.file(path),
            _ => Answer::error("405 Method Not Allowed"),
        }
    }

    /// A file of the folder itself: there are none in folders below.
    fn file(&self, path: &str) -> Answer {
        let path = path.split('?').next().unwrap_or_default();
        let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.starts_with('.') || !name.chars().all(is_plain) {
            return Answer::error("404 Not Found");
        }
        match (kind(name), std::fs::read(self.folder.join(name))) {
            (Some(kind), Ok(body)) => Answer::ok(kind, body),
            _ => Answer::error("404 Not Found"),
        }
    }
}

/// Reads a request; none if it is not one, or too long.
fn read(stream: &mut impl std::io::BufRead) -> std::io::Result<Option<Request>> {
    let mut head = stream.take(LONGEST_HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            match value.trim().parse::<u64>() {
                Ok(bytes) if bytes <= LONGEST_BODY => length = bytes,
                _ => return Ok(None),
            }
        }
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
    match stream.read_exact(&mut body) {
        Ok(()) => Ok(String::from_utf8(body).ok().map(|body| Request { method, path, body })),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        // A browser compiles it while it comes, if it is called so.
        "wasm" => "application/wasm",
        "png" => "image/png",
        _ => return None,
    })
}

impl Answer {
    fn ok(kind: &'static str, body: Vec<u8>) -> Self {
        Self { status: "200 OK", kind, body }
    }

    fn error(status: &'static str) -> Self {
        Self { status, kind: "text/plain", body: status.as_bytes().to_vec() }
    }
}

impl Latch {
    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // A poisoned latch holds a flag all the same.
        drop(self.opened.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn ask(address: SocketAddr, words: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(words.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    #[test]
    fn files_are_served_and_reports_are_heard() {
        let folder = std::env::temp_dir().join(format!("winoconv-server-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("below")).expect("a folder for the test");
        std::fs::write(folder.join("index.html"), "<p>here").expect("written");
        std::fs::write(folder.join("secret"), "of no kind").expect("written");
        std::fs::write(folder.join("below/page.js"), "1").expect("written");
        let server = Server::new(&folder, 0).expect("a free port");
        let address = server.address();
        let (sender, told) = channel();
        std::thread::spawn(move || server.run(|what| drop(sender.send(what))));
        let page = ask(address, "GET /?test HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\n<p>here"), "{page}");
        for path in ["/../Cargo.toml", "/.hidden", "/none.js", "/below/page.js", "/secret", "//etc/passwd", "/%2e%2e"] {
            let answer = ask(address, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
        assert!(ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
        assert!(ask(address, "POST /report HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").starts_with("HTTP/1.1 400"));
        assert!(ask(address, "DELETE /index.html HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        // Whoever waits for the report is answered after it.
        let waits = std::thread::spawn(move || ask(address, "GET /until-reported HTTP/1.1\r\n\r\n"));
        ask(address, "POST /progress HTTP/1.1\r\ncontent-length: 4\r\n\r\nhalf");
        assert!(!waits.is_finished(), "nothing is reported yet");
        ask(address, "POST /report HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
        assert!(waits.join().expect("no panic").contains("<svg"));
        let all: Vec<Told> = told.try_iter().collect();
        assert_eq!(all, [Told::Progress("half".into()), Told::Report("{}".into())]);
        std::fs::remove_dir_all(&folder).expect("clean up");
    }
}

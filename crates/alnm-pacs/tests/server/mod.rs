//! A DICOMweb server of a few pages, on this machine, that can be told to fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use alnm_imaging::dicom::ObjectIdentity;

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection is closed at once.
    Close,
    /// The connection is closed after so many bytes of the body of the answer.
    CutAnswer(usize),
    /// The connection is closed after so many bytes of the body of the request.
    CutRequest(usize),
    /// The body of the answer, with this media type.
    Body(&'static str, Vec<u8>),
    /// A status with words.
    Status(u16, &'static str),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Files by study, series and instance.
    pub(crate) objects: BTreeMap<[String; 3], Vec<u8>>,
    /// First lines of all requests.
    pub(crate) requests: Vec<String>,
    /// What goes wrong, once each, with requests whose first line holds a text.
    pub(crate) faults: Vec<(&'static str, Fault)>,
    /// The header `Authorization` that each request has to have.
    pub(crate) authorization: Option<String>,
    /// The most matches in an answer, and of all pages of a search.
    pub(crate) page: Option<usize>,
    /// Objects that are refused, with a code.
    pub(crate) refused: BTreeMap<String, u16>,
    /// Objects that are taken and not mentioned.
    pub(crate) unmentioned: Vec<String>,
    /// The most objects in one request.
    pub(crate) most_objects: Option<usize>,
}

pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/dicom-web", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that went away is no matter of the server.
                    let _ = serve(stream.unwrap(), &shared);
                });
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// First lines of the requests that hold a text.
    pub(crate) fn requests(&self, text: &str) -> Vec<String> {
        self.state().requests.iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let header = |name: &str| {
        let found = lines.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        found.map(|line| line[name.len() + 1..].trim().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(lines[0].clone());
        let place = state.faults.iter().position(|(text, _)| lines[0].contains(text));
        place.map(|place| state.faults.remove(place).1)
    };
    match fault {
        Some(Fault::Close) => return Ok(()),
        Some(Fault::CutRequest(bytes)) => {
            reader.read_exact(&mut vec![0; bytes.min(length)])?;
            return Ok(());
        }
        _ => {}
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = match &fault {
        Some(Fault::Status(status, words)) => text(*status, words),
        Some(Fault::Body(content_type, body)) => {
            Answer { status: 200, content_type: (*content_type).to_owned(), body: body.clone() }
        }
        _ => {
            let mut state = state.lock().unwrap();
            if state.authorization.is_some() && state.authorization != header("authorization") {
                text(401, "who are you?")
            } else {
                answer(&mut state, &lines[0], &header("content-type").unwrap_or_default(), &body)
            }
        }
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len()
    )?;
    let sent = if let Some(Fault::CutAnswer(bytes)) = fault { bytes.min(answer.body.len()) } else { answer.body.len() };
    stream.write_all(&answer.body[..sent])?;
    stream.flush()
}

fn text(status: u16, words: &str) -> Answer {
    Answer { status, content_type: "text/plain".to_owned(), body: words.as_bytes().to_vec() }
}

fn json(status: u16, body: String) -> Answer {
    Answer { status, content_type: "application/dicom+json".to_owned(), body: body.into_bytes() }
}

fn answer(state: &mut State, request: &str, content_type: &str, body: &[u8]) -> Answer {
    let target = request.split(' ').nth(1).unwrap().strip_prefix("/dicom-web").unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.split(' ').next().unwrap(), parts.as_slice()) {
        ("POST", ["studies"]) => store(state, content_type, body),
        ("GET", ["studies"]) => found(state, query, |[study, _, _]| study.clone(), "0020000D"),
        ("GET", ["studies", study, "series"]) => {
            found(state, query, |[s, series, _]| if s == study { series.clone() } else { String::new() }, "0020000E")
        }
        ("GET", ["studies", study, "instances"]) => {
            found(state, query, |[s, _, i]| if s == study { i.clone() } else { String::new() }, "00080018")
        }
        ("GET", ["studies", study, "series", series, "instances"]) => {
            let of_series = |[s, e, i]: &[String; 3]| if s == study && e == series { i.clone() } else { String::new() };
            found(state, query, of_series, "00080018")
        }
        ("GET", ["studies", study, "series", series]) => retrieved(state, &[study, series]),
        ("GET", ["studies", study, "series", series, "instances", instance]) => {
            retrieved(state, &[study, series, instance])
        }
        _ => text(404, "no such resource"),
    }
}

fn number(query: &str, key: &str) -> Option<usize> {
    query.split('&').find_map(|part| part.strip_prefix(key)?.strip_prefix('=')).map(|value| value.parse().unwrap())
}

fn found(state: &State, query: &str, key: impl Fn(&[String; 3]) -> String, tag: &str) -> Answer {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for uids in state.objects.keys() {
        *counts.entry(key(uids)).or_default() += 1;
    }
    counts.remove("");
    let limit = number(query, "limit").unwrap_or(usize::MAX).min(state.page.unwrap_or(usize::MAX));
    let matches: Vec<String> = counts
        .iter()
        .skip(number(query, "offset").unwrap_or(0))
        .take(limit)
        .map(|(uid, count)| {
            format!(
                "{{\"{tag}\":{{\"vr\":\"UI\",\"Value\":[\"{uid}\"]}},\"00201209\":{{\"vr\":\"IS\",\"Value\":[{count}]}},\
                 \"00080060\":{{\"vr\":\"CS\",\"Value\":[\"OT\"]}},\"00100020\":{{\"vr\":\"LO\",\"Value\":[\"P001\"]}}}}"
            )
        })
        .collect();
    if matches.is_empty() { json(204, String::new()) } else { json(200, format!("[{}]", matches.join(","))) }
}

fn retrieved(state: &State, uids: &[&str]) -> Answer {
    let mut body = Vec::new();
    let is_wanted = |found: &[String; 3]| found.iter().zip(uids).all(|(found, wanted)| found == wanted);
    for (_, file) in state.objects.iter().filter(|(found, _)| is_wanted(found)) {
        body.extend_from_slice(b"\r\n--sep\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend_from_slice(file);
    }
    if body.is_empty() {
        return text(404, "no such object");
    }
    body.extend_from_slice(b"\r\n--sep--");
    let content_type = "multipart/related; type=\"application/dicom\"; boundary=sep".to_owned();
    Answer { status: 200, content_type, body }
}

/// Splits a body by its boundary, with no thought of memory.
fn parts_of<'a>(content_type: &str, body: &'a [u8]) -> Vec<&'a [u8]> {
    let boundary = content_type.split("boundary=").nth(1).unwrap();
    let delimiter = format!("--{boundary}");
    let places: Vec<usize> = (0..body.len()).filter(|&at| body[at..].starts_with(delimiter.as_bytes())).collect();
    let content = |pair: &[usize]| {
        let part = &body[pair[0]..pair[1] - 2];
        let start = part.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        &part[start..]
    };
    assert!(body[*places.last().unwrap()..].starts_with(format!("{delimiter}--").as_bytes()));
    places.windows(2).map(content).collect()
}

fn store(state: &mut State, content_type: &str, body: &[u8]) -> Answer {
    let parts = parts_of(content_type, body);
    if state.most_objects.is_some_and(|most| parts.len() > most) {
        return text(413, "too much");
    }
    let (mut stored, mut failed) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir().unwrap();
    for file in &parts {
        let path = folder.path().join("object.dcm");
        std::fs::write(&path, file).unwrap();
        let found = ObjectIdentity::of_file(&path).unwrap().unwrap();
        let uid = found.sop_instance_uid;
        let reference = |more: &str| format!("{{\"00081155\":{{\"vr\":\"UI\",\"Value\":[\"{uid}\"]}}{more}}}");
        if let Some(code) = state.refused.get(&uid) {
            failed.push(reference(&format!(",\"00081197\":{{\"vr\":\"US\",\"Value\":[{code}]}}")));
        } else {
            if !state.unmentioned.contains(&uid) {
                stored.push(reference(""));
            }
            state.objects.insert([found.study_instance_uid, found.series_instance_uid, uid], file.to_vec());
        }
    }
    let status = match (stored.len(), failed.len()) {
        (_, 0) => 200,
        (0, _) => 409,
        _ => 202,
    };
    let sequence = |items: &[String]| format!("{{\"vr\":\"SQ\",\"Value\":[{}]}}", items.join(","));
    json(status, format!("{{\"00081199\":{},\"00081198\":{}}}", sequence(&stored), sequence(&failed)))
}

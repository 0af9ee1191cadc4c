//! A DICOM node of a few pages, on this machine, that can be told to fail (PS3.8 for what goes over the wire, PS3.7 for
//! commands). It is written without any DICOM library.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// What the node does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Closes the connection when this many bytes of the data of an object have come.
    CloseAfter(usize),
    /// Takes the object and closes the connection before it answers.
    CloseBeforeAnswer,
    /// Answers with these bytes in place of a command set.
    Command(Vec<u8>),
    /// Announces a message of four gigabytes.
    HugeMessage,
    /// Rejects the association.
    Reject,
    /// Ends the association with an abort in place of an answer.
    Abort,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Data sets by identifier.
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    /// What goes wrong, once each, with associations and objects in this order.
    pub(crate) faults: Vec<Fault>,
    /// Classes that are not accepted.
    pub(crate) unknown_classes: Vec<&'static str>,
    /// Statuses of objects.
    pub(crate) statuses: BTreeMap<&'static str, u16>,
    pub(crate) associations: usize,
    pub(crate) releases: usize,
    pub(crate) titles: Vec<(String, String)>,
}

pub(crate) struct Archive {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Archive {
    pub(crate) fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // One after the other. A client that went away is no matter of the node.
                let _ = serve(&mut stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

const ASSOCIATE: u8 = 1;
const ACCEPT: u8 = 2;
const REJECT: u8 = 3;
const DATA: u8 = 4;
const RELEASE: u8 = 5;
const RELEASED: u8 = 6;
const ABORT: u8 = 7;

fn receive(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize;
    assert!(length <= 16_384 + 6, "the client was told that messages have 16384 bytes at most, and sends {length}");
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head[0], body))
}

fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) -> std::io::Result<()> {
    let head = [&[kind, 0][..], &(body.len() as u32).to_be_bytes()].concat();
    stream.write_all(&[&head, body].concat())
}

/// Items of a message: kind and content.
fn items(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut items = Vec::new();
    while let [kind, _, high, low, rest @ ..] = bytes {
        let (content, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        items.push((*kind, content));
        bytes = behind;
    }
    items
}

fn item(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(content.len() as u16).to_be_bytes(), content].concat()
}

/// What is accepted of an association that is asked for.
fn acceptance(request: &[u8], unknown: &[&str]) -> Vec<u8> {
    let mut answer = request[..68].to_vec();
    answer.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    for (_, content) in items(&request[68..]).into_iter().filter(|(kind, _)| *kind == 0x20) {
        let sub_items = items(&content[4..]);
        let find = |wanted: u8| sub_items.iter().find(|(kind, _)| *kind == wanted).unwrap().1;
        let class = std::str::from_utf8(find(0x30)).unwrap();
        let result = if unknown.contains(&class) { 3 } else { 0 };
        let context = [&[content[0], 0, result, 0][..], &item(0x40, find(0x40))].concat();
        answer.extend(item(0x21, &context));
    }
    let longest = item(0x51, &16_384_u32.to_be_bytes());
    answer.extend(item(0x50, &longest));
    answer
}

fn title(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// The value of an element of a command set.
fn element(mut command: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [_, _, low, high, a, b, c, d, rest @ ..] = command {
        let (value, behind) = rest.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        if u16::from_le_bytes([*low, *high]) == wanted {
            return Some(value);
        }
        command = behind;
    }
    None
}

fn answer_to(command: &[u8], status: u16) -> Vec<u8> {
    let field = element(command, 0x0100).unwrap();
    let mut answer = Vec::new();
    let mut put = |element: u16, value: &[u8]| {
        answer.extend_from_slice(&[0, 0]);
        answer.extend_from_slice(&element.to_le_bytes());
        answer.extend_from_slice(&(value.len() as u32).to_le_bytes());
        answer.extend_from_slice(value);
    };
    put(0x0100, &[field[0], field[1] | 0x80]);
    put(0x0120, element(command, 0x0110).unwrap());
    put(0x0800, &[1, 1]);
    put(0x0900, &status.to_le_bytes());
    answer
}

fn serve(stream: &mut TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let next_fault = || {
        let faults = &mut state.lock().unwrap().faults;
        if faults.is_empty() { None } else { Some(faults.remove(0)) }
    };
    let (kind, request) = receive(stream)?;
    assert_eq!(kind, ASSOCIATE);
    let accepted = {
        let mut state = state.lock().unwrap();
        state.associations += 1;
        state.titles.push((title(&request[4..20]), title(&request[20..36])));
        if state.faults.first() == Some(&Fault::Reject) {
            state.faults.remove(0);
            return send(stream, REJECT, &[0, 1, 1, 7]);
        }
        acceptance(&request, &state.unknown_classes)
    };
    send(stream, ACCEPT, &accepted)?;
    let (mut command, mut data) = (Vec::new(), Vec::new());
    let mut fault = None;
    loop {
        let (kind, body) = receive(stream)?;
        match kind {
            DATA => {}
            RELEASE => {
                state.lock().unwrap().releases += 1;
                return send(stream, RELEASED, &[0; 4]);
            }
            _ => return Ok(()),
        }
        let mut rest = body.as_slice();
        while let [a, b, c, d, context, control, values @ ..] = rest {
            let (value, behind) = values.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize - 2);
            let (is_command, is_last) = (control & 1 == 1, control & 2 == 2);
            if is_command {
                command.extend_from_slice(value);
                fault = next_fault();
            } else {
                data.extend_from_slice(value);
            }
            if let Some(Fault::CloseAfter(bytes)) = fault
                && data.len() >= bytes
            {
                return Ok(());
            }
            let has_data = element(&command, 0x0800).is_some_and(|kind| kind != [1, 1]);
            if is_last && is_command != has_data {
                let uid = String::from_utf8_lossy(element(&command, 0x1000).unwrap_or_default());
                let uid = uid.trim_end_matches('\0').to_owned();
                let status = state.lock().unwrap().statuses.get(uid.as_str()).copied().unwrap_or(0);
                if has_data && (status == 0 || (0xb000..0xc000).contains(&status)) {
                    state.lock().unwrap().objects.insert(uid, std::mem::take(&mut data));
                }
                data.clear();
                let mut answer = answer_to(&command, status);
                match fault.take() {
                    Some(Fault::CloseBeforeAnswer) => return Ok(()),
                    Some(Fault::Abort) => return send(stream, ABORT, &[0, 0, 0, 0]),
                    Some(Fault::HugeMessage) => return stream.write_all(&[DATA, 0, 0xff, 0xff, 0xff, 0xff]),
                    Some(Fault::Command(bytes)) => answer = bytes,
                    _ => {}
                }
                let value = [&(answer.len() as u32 + 2).to_be_bytes()[..], &[*context, 3], &answer].concat();
                send(stream, DATA, &value)?;
                command.clear();
            }
            rest = behind;
        }
    }
}

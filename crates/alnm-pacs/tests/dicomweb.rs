//! Searching, fetching and storing by DICOMweb, on a server that fails when it is told to.

// A test that cannot write its files must end, also in its helpers.
#![allow(clippy::unwrap_used)]

#[path = "../src/objects_of_tests.rs"]
mod objects_of_tests;
mod server;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alnm_pacs::{
    Credentials, DicomWeb, DicomWebParams, FetchChoice, FetchFolder, FetchReport, LocalObjects, PacsError, Resend,
    Secret, StoreReport, StudyQueryParams, TransferEvent,
};
use objects_of_tests::part10;
use server::{Fault, Server, State};

/// Objects of a study with two series, the first of three objects and the second of one.
const UIDS: [[&str; 3]; 4] =
    [["1.5", "1.6", "1.71"], ["1.5", "1.6", "1.72"], ["1.5", "1.6", "1.73"], ["1.5", "1.8", "1.9"]];

fn file_of([study, series, instance]: [&str; 3]) -> Vec<u8> {
    part10(study, series, instance, 150_000)
}

fn filled() -> State {
    let object = |uids: [&str; 3]| (uids.map(str::to_owned), file_of(uids));
    State { objects: UIDS.into_iter().map(object).collect(), ..State::default() }
}

fn params(server: &Server) -> DicomWebParams {
    DicomWebParams::new(&server.url).with_first_pause(Duration::from_millis(1)).with_timeout(Duration::from_secs(20))
}

fn client(server: &Server) -> DicomWeb {
    params(server).check().unwrap()
}

fn go_on(_: TransferEvent<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn fetch(client: &DicomWeb, path: &Path) -> Result<FetchReport, PacsError> {
    client.fetch("1.5", &FetchChoice::default(), &mut FetchFolder::open(path)?, &mut go_on)
}

fn path_of(folder: &Path, [study, series, instance]: [&str; 3]) -> PathBuf {
    folder.join(study).join(series).join(format!("{instance}.dcm"))
}

/// Whether all objects lie in a folder, and no other file but the list.
fn assert_whole(folder: &Path) {
    for uids in UIDS {
        assert!(fs::read(path_of(folder, uids)).unwrap() == file_of(uids), "{uids:?}");
    }
    assert_eq!(LocalObjects::find(&[folder]).unwrap().foreign, [folder.join("fetched.csv")]);
}

#[test]
fn studies_are_found_page_by_page() {
    let mut state = State { page: Some(3), ..State::default() };
    for study in 0..7 {
        let uids = [format!("1.{study}"), "2.1".to_owned(), format!("3.{study}")];
        state.objects.insert(uids, Vec::new());
    }
    let server = Server::start(state);
    let all = StudyQueryParams::default().with_patient_id("P*").check().unwrap();
    let found = client(&server).search_studies(&all, &mut go_on).unwrap();
    let uids: Vec<&str> = found.iter().map(|study| study.study_instance_uid.as_str()).collect();
    assert_eq!(uids, ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]);
    assert_eq!(found[0].patient_id, "P001");
    assert!(server.requests("GET")[0].contains("&PatientID=P*&"));
    let some = StudyQueryParams::default().with_most(4).check().unwrap();
    assert_eq!(client(&server).search_studies(&some, &mut go_on).unwrap().len(), 4);
    server.state().page = None;
    server.state().faults = vec![("limit=200&offset=0", Fault::Status(400, "no limit here"))];
    assert_eq!(client(&server).search_studies(&all, &mut go_on).unwrap().len(), 7);
    let none = Server::start(State::default());
    assert!(client(&none).search_studies(&all, &mut go_on).unwrap().is_empty());
}

#[test]
fn a_study_is_fetched_once_and_what_is_damaged_on_disk_again() {
    let server = Server::start(filled());
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&client(&server), folder.path()).unwrap();
    assert_eq!((report.series, report.fetched, report.already_there), (2, 4, 0));
    assert!(report.is_complete() && report.warnings.is_empty());
    assert_whole(folder.path());
    // The three objects of one series came in one answer.
    assert_eq!(server.requests("/series/1.6 ").len(), 1);
    let before = server.requests("GET").len();
    assert_eq!(fetch(&client(&server), folder.path()).unwrap().already_there, 4);
    assert!(server.requests("GET")[before..].iter().all(|line| line.contains('?')), "only searches");
    let damaged = path_of(folder.path(), UIDS[1]);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[1000] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let report = fetch(&client(&server), folder.path()).unwrap();
    assert_eq!((report.fetched, report.already_there, report.replaced), (1, 3, 1));
    assert_whole(folder.path());
}

#[test]
fn a_fetch_that_is_cut_at_any_byte_goes_on() {
    let length = 3 * (file_of(UIDS[0]).len() + 44) + 9;
    for cut in [0, 1, 100, 150_000, 150_600, 300_000, length - 10, length - 1] {
        let mut state = filled();
        state.faults.push(("/series/1.6 ", Fault::CutAnswer(cut)));
        let server = Server::start(state);
        let folder = tempfile::tempdir().unwrap();
        let report = fetch(&client(&server), folder.path()).unwrap();
        assert_eq!((report.fetched, report.replaced), (4, 0), "{cut}");
        assert_whole(folder.path());
    }
    // Without another attempt the error says what happened, whole objects are kept, and the next call gets the rest.
    let mut state = filled();
    state.faults.push(("/series/1.6 ", Fault::CutAnswer(320_000)));
    let server = Server::start(state);
    let folder = tempfile::tempdir().unwrap();
    let once = params(&server).with_attempts(1).check().unwrap();
    let error = fetch(&once, folder.path()).unwrap_err();
    assert!(matches!(error, PacsError::Connection { attempts: 1, .. }), "{error}");
    assert!(error.to_string().contains("broke off"), "{error}");
    assert_eq!(fetch(&once, folder.path()).unwrap().already_there, 2);
    assert_whole(folder.path());
}

#[test]
fn failures_that_pass_are_tried_again_a_bounded_number_of_times() {
    for fault in [Fault::Close, Fault::Status(503, ""), Fault::Status(429, "slow down"), Fault::CutAnswer(3)] {
        let mut state = filled();
        state.faults = vec![("/series?", fault.clone()), ("/series?", fault)];
        let server = Server::start(state);
        let folder = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        let mut observer = |event: TransferEvent<'_>| {
            if let TransferEvent::Retry { attempt, .. } = event {
                told.push(attempt);
            }
            ControlFlow::Continue(())
        };
        let mut into = FetchFolder::open(folder.path()).unwrap();
        client(&server).fetch("1.5", &FetchChoice::default(), &mut into, &mut observer).unwrap();
        assert_eq!(told, [1, 2]);
    }
    let mut state = filled();
    state.faults = vec![("/series?", Fault::Status(503, "in maintenance")); 9];
    let server = Server::start(state);
    let error = client(&server).search_series("1.5", &mut go_on).unwrap_err().to_string();
    assert!(error.contains("answers 503 (attempt 5): in maintenance"), "{error}");
    assert_eq!(server.requests("GET").len(), 5);
    let mut state = filled();
    state.faults = vec![("/series?", Fault::Status(500, "a <b>fault</b>\n of the server")); 2];
    let server = Server::start(state);
    let error = client(&server).search_series("1.5", &mut go_on).unwrap_err().to_string();
    assert!(error.contains("500 (attempt 1): a <b>fault</b> of the server"), "{error}");
    let nobody = DicomWebParams::new("http://127.0.0.1:1/x").with_first_pause(Duration::ZERO).check().unwrap();
    let error = nobody.verify(&mut go_on).unwrap_err();
    assert!(matches!(error, PacsError::Connection { attempts: 5, .. }), "{error}");
}

#[test]
fn wrong_passwords_are_told_at_once_and_shown_nowhere() {
    let mut state = filled();
    state.authorization = Some("Basic YW5uYTpnZWhlaW0=".to_owned());
    let server = Server::start(state);
    let with = |credentials: Credentials| params(&server).with_credentials(credentials).check().unwrap();
    let right = with(Credentials::basic("anna", Secret::new("geheim")));
    right.verify(&mut go_on).unwrap();
    let wrong = with(Credentials::basic("anna", Secret::new("geraten")));
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&wrong, folder.path()).unwrap_err();
    assert!(matches!(error, PacsError::Refused { status: 401, with_credentials: true, .. }));
    assert!(error.to_string().contains("check user, password or token") && !error.to_string().contains("geraten"));
    assert_eq!(server.requests("GET").len(), 2);
    let error = client(&server).verify(&mut go_on).unwrap_err().to_string();
    assert!(error.contains("no user and no token were given"), "{error}");
    for client in [&right, &wrong] {
        let shown = format!("{client:?}");
        assert!(!shown.contains("YW5uYTpnZWhlaW0") && !shown.contains("geheim"), "{shown}");
    }
    let objects = objects_in(folder.path());
    for resend in [Resend::Never, Resend::All] {
        assert!(matches!(wrong.store(&objects.objects, resend, &mut go_on), Err(PacsError::Refused { .. })));
    }
    assert!(server.requests("POST").is_empty(), "nothing is sent to who does not let us in");
}

#[test]
fn damaged_answers_lose_one_object_and_no_other() {
    let mut headers = b"--sep\r\n".to_vec();
    headers.extend_from_slice(&vec![b'x'; 40_000]);
    let foreign = part10("1.5", "1.6", "6.6.6", 10);
    let sent = |file: &[u8]| [b"--sep\r\n\r\n", file, b"\r\n--sep--"].concat();
    const MULTIPART: &str = "multipart/related; boundary=sep";
    for (content_type, body, words) in [
        (MULTIPART, headers, "16 KiB"),
        (
            MULTIPART,
            b"--sep\r\nContent-Length: 99999999999\r\n\r\nDICM\r\n--sep--".to_vec(),
            "99999999999 bytes or more",
        ),
        (MULTIPART, sent(b"no DICOM file"), "ends inside its meta group"),
        (MULTIPART, sent(&[0; 500]), "is no DICOM file"),
        (MULTIPART, sent(&foreign), "does not send it"),
        (MULTIPART, b"--sep--".to_vec(), "does not send it"),
        ("text/html", b"<html>".to_vec(), "\"text/html\", and no multipart"),
    ] {
        let mut state = filled();
        // In the answer for the whole series, and in that for its first object.
        state.faults = vec![
            ("/series/1.6 ", Fault::Body(content_type, body.clone())),
            ("/series/1.6/instances/1.71 ", Fault::Body(content_type, body)),
        ];
        let server = Server::start(state);
        let folder = tempfile::tempdir().unwrap();
        let report = fetch(&client(&server), folder.path()).unwrap();
        assert_eq!((report.fetched, report.failed.len()), (3, 1), "{words}");
        assert!(report.failed[0].reason.contains(words), "{}", report.failed[0].reason);
        assert_eq!(report.failed[0].sop_instance_uid, "1.71");
        assert!(!path_of(folder.path(), ["1.5", "1.6", "6.6.6"]).exists());
        assert_eq!(fetch(&client(&server), folder.path()).unwrap().fetched, 1);
        assert_whole(folder.path());
    }
    for (content_type, body, words) in [
        ("application/dicom+json", "[{\"0020000E\": {\"vr\": \"UI\", \"Value\": [\"../../x\"]}}]", "identifier"),
        ("application/dicom+json", "[", "no list of data sets"),
        ("text/html", "<html>", "the address of a DICOMweb server?"),
    ] {
        let mut state = filled();
        state.faults = vec![("/series?", Fault::Body(content_type, body.as_bytes().to_vec()))];
        let server = Server::start(state);
        let error = client(&server).search_series("1.5", &mut go_on).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn objects_and_answers_beyond_the_limits_are_refused() {
    let server = Server::start(filled());
    let folder = tempfile::tempdir().unwrap();
    let small = params(&server).with_most_object_bytes(100_000).check().unwrap();
    let report = fetch(&small, folder.path()).unwrap();
    assert_eq!((report.fetched, report.failed.len()), (0, 4));
    assert!(report.failed[0].reason.contains("the limit is 100000"), "{}", report.failed[0].reason);
    let mut state = filled();
    state.faults = vec![("/series?", Fault::Body("application/dicom+json", vec![b' '; (16 << 20) + 1]))];
    let server = Server::start(state);
    let error = client(&server).search_series("1.5", &mut go_on).unwrap_err().to_string();
    assert!(error.contains("more than 16777216 bytes"), "{error}");
}

#[test]
fn an_observer_stops_a_fetch_and_the_next_one_goes_on() {
    let server = Server::start(filled());
    let folder = tempfile::tempdir().unwrap();
    let mut done = 0;
    let mut observer = |event: TransferEvent<'_>| {
        done += usize::from(matches!(event, TransferEvent::Done { .. }));
        if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut into = FetchFolder::open(folder.path()).unwrap();
    let stopped = client(&server).fetch("1.5", &FetchChoice::default(), &mut into, &mut observer);
    assert!(matches!(stopped, Err(PacsError::Cancelled)));
    drop(into);
    let report = fetch(&client(&server), folder.path()).unwrap();
    assert_eq!((report.fetched, report.already_there), (2, 2));
    assert_whole(folder.path());
}

#[test]
fn counts_of_the_server_that_do_not_fit_are_told() {
    let mut state = filled();
    let series = r#"[{"0020000E":{"vr":"UI","Value":["1.8"]},"00201209":{"vr":"IS","Value":[3]}}]"#;
    state.faults = vec![("/series?", Fault::Body("application/dicom+json", series.as_bytes().to_vec()))];
    let server = Server::start(state);
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&client(&server), folder.path()).unwrap();
    assert_eq!(report.fetched, 1);
    assert!(report.warnings[0].contains("counts 3 objects in the series 1.8 and lists 1"), "{:?}", report.warnings);
}

/// All objects as files of a folder.
fn objects_in(folder: &Path) -> LocalObjects {
    for (number, uids) in UIDS.into_iter().enumerate() {
        fs::write(folder.join(format!("{number}.dcm")), file_of(uids)).unwrap();
    }
    LocalObjects::find(&[folder]).unwrap()
}

fn store(client: &DicomWeb, resend: Resend) -> Result<StoreReport, PacsError> {
    let folder = tempfile::tempdir().unwrap();
    client.store(&objects_in(folder.path()).objects, resend, &mut go_on)
}

fn assert_stored(server: &Server) {
    assert!(server.state().objects == filled().objects);
}

#[test]
fn objects_are_stored_once_unless_asked() {
    let server = Server::start(State::default());
    let report = store(&client(&server), Resend::Never).unwrap();
    assert_eq!((report.stored, report.already_there, report.failed.len()), (4, 0, 0));
    assert_stored(&server);
    assert_eq!(server.requests("POST").len(), 1);
    let report = store(&client(&server), Resend::Never).unwrap();
    assert_eq!((report.stored, report.already_there), (0, 4));
    assert_eq!(server.requests("POST").len(), 1);
    assert_eq!(store(&client(&server), Resend::All).unwrap().stored, 4);
    let one_by_one = params(&server).with_batch_bytes(1).check().unwrap();
    assert_eq!(store(&one_by_one, Resend::All).unwrap().stored, 4);
    assert_eq!(server.requests("POST").len(), 6);
    assert_stored(&server);
}

#[test]
fn what_breaks_while_storing_is_sent_again() {
    for fault in [Fault::Close, Fault::CutRequest(200_000), Fault::CutAnswer(10), Fault::Status(503, "")] {
        let state = State { faults: vec![("POST", fault.clone()), ("POST", fault)], ..State::default() };
        let server = Server::start(state);
        assert_eq!(store(&client(&server), Resend::Never).unwrap().stored, 4);
        assert_stored(&server);
    }
    let state = State { faults: vec![("POST", Fault::Close)], ..State::default() };
    let server = Server::start(state);
    let once = params(&server).with_attempts(1).check().unwrap();
    assert!(matches!(store(&once, Resend::Never), Err(PacsError::Connection { .. })));
    assert_eq!(store(&once, Resend::Never).unwrap().stored, 4);
}

#[test]
fn objects_that_the_server_refuses_are_told_one_by_one() {
    let state = State {
        refused: [("1.72".to_owned(), 0xa700), ("1.9".to_owned(), 0x0122)].into(),
        unmentioned: vec!["1.73".to_owned()],
        ..State::default()
    };
    let server = Server::start(state);
    let report = store(&client(&server), Resend::Never).unwrap();
    assert_eq!((report.stored, report.failed.len()), (1, 3));
    let reasons: Vec<&str> = report.failed.iter().map(|failed| failed.reason.as_str()).collect();
    assert!(reasons[0].contains("out of resources") && reasons[0].contains("(A700)"), "{reasons:?}");
    assert!(reasons[1].contains("does not mention it") && reasons[2].contains("not supported"), "{reasons:?}");
    assert!(!report.is_complete());
    // All refused: the server answers 409 and tells each of them.
    let state = State { refused: UIDS.map(|[_, _, uid]| (uid.to_owned(), 0xc000)).into(), ..State::default() };
    let server = Server::start(state);
    assert_eq!(store(&client(&server), Resend::Never).unwrap().failed.len(), 4);
    assert_eq!(server.requests("POST").len(), 1);
}

#[test]
fn a_batch_that_is_refused_as_a_whole_is_sent_one_by_one() {
    let state = State {
        most_objects: Some(1),
        faults: vec![("POST", Fault::Status(400, "{\"Details\": \"bad request\", \"HttpStatus\": 400}")); 2],
        ..State::default()
    };
    let server = Server::start(state);
    let report = store(&client(&server), Resend::Never).unwrap();
    // The first object had the second fault.
    assert_eq!((report.stored, report.failed.len()), (3, 1));
    assert!(report.failed[0].reason.contains("answers 400 (attempt 1): bad request"), "{}", report.failed[0].reason);
    assert_eq!(server.requests("POST").len(), 5);
}

#[test]
fn an_observer_stops_storing_and_files_that_vanish_are_named() {
    let server = Server::start(State::default());
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path()).objects;
    let mut observer = |event: TransferEvent<'_>| {
        if matches!(event, TransferEvent::Bytes(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let stopped = client(&server).store(&objects, Resend::Never, &mut observer);
    assert!(matches!(stopped, Err(PacsError::Cancelled)), "{stopped:?}");
    fs::remove_file(&objects[2].path).unwrap();
    let error = client(&server).store(&objects, Resend::Never, &mut go_on).unwrap_err();
    assert!(matches!(&error, PacsError::File { path, .. } if *path == objects[2].path), "{error}");
}

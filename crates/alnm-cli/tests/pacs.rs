//! The commands `alnm fetch` and `alnm store`: what they ask for, refuse and say. The transfers themselves are tested in
//! alnm-pacs.
#![cfg(feature = "pacs")]
// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Volume};

fn alnm(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alnm"));
    command.current_dir(folder).args(arguments).env("PACS_PASSWORD", "geheim").output().unwrap()
}

/// A command that fails with an exit code and a message that holds some words.
fn fails(folder: &Path, arguments: &[&str], code: i32, words: &str) {
    let output = alnm(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.contains(words) && !message.contains("geheim"), "{arguments:?}: {message}");
}

/// A server that gives one answer after the other, and in the end the heads of the requests.
fn server(answers: Vec<String>) -> (String, JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/dicom-web", listener.local_addr().unwrap());
    let handle = std::thread::spawn(move || {
        let answer = |answer: &String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let head: Vec<String> =
                reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let length = head
                .iter()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            head
        };
        answers.iter().map(answer).collect()
    });
    (address, handle)
}

fn answer(status: &str, json: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/dicom+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
        json.len()
    )
}

#[test]
fn studies_are_listed_as_csv() {
    let folder = tempfile::tempdir().unwrap();
    let study = r#"[{"0020000D":{"vr":"UI","Value":["1.2"]},"00100020":{"vr":"LO","Value":["P, 1"]},
        "00080061":{"vr":"CS","Value":["MR","SEG"]},"00201208":{"vr":"IS","Value":[12]}}]"#;
    let (address, handle) = server(vec![answer("200 OK", study), answer("204 No Content", "")]);
    let arguments =
        ["fetch", &address, "--list", "--patient-id", "P*", "--user", "anna", "--password-env", "PACS_PASSWORD"];
    let output = alnm(folder.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().nth(1).unwrap(), "1.2,\"P, 1\",,,,MR SEG,,,12");
    let requests = handle.join().unwrap();
    assert!(requests[0][0].starts_with("GET /dicom-web/studies?"), "{:?}", requests[0]);
    assert!(requests[0][0].contains("&PatientID=P*&"));
    assert!(requests[0].iter().any(|line| line.eq_ignore_ascii_case("authorization: Basic YW5uYTpnZWhlaW0=")));
}

#[test]
fn what_makes_no_sense_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let web = "https://127.0.0.1:1/dicom-web";
    fails(path, &["fetch", web, "images"], 1, "nothing says which studies");
    fails(path, &["fetch", web], 2, "FOLDER");
    fails(path, &["fetch", "dicom://A@h:104", "images", "--all"], 1, "fetching goes by DICOMweb");
    fails(path, &["fetch", "https://anna:geheim@h/x", "images", "--all"], 1, "no place for a password");
    fails(path, &["fetch", web, "images", "--study", "1.x"], 1, "identifier");
    fails(path, &["fetch", web, "images", "--date", "2024"], 1, "YYYYMMDD");
    fails(path, &["fetch", web, "images", "--match", "x"], 2, "KEYWORD=VALUE");
    fails(path, &["fetch", web, "images", "--all", "--user", "anna"], 1, "--password-file or --password-env");
    fails(path, &["fetch", web, "images", "--all", "--token-env", "PACS_NO_TOKEN"], 1, "PACS_NO_TOKEN is not set");
    let plain = ["fetch", "http://pacs.invalid/x", "images", "--all", "--token-env", "PACS_PASSWORD"];
    fails(path, &plain, 1, "unencrypted");
    fails(path, &["store", web], 2, "FILES");
    fails(path, &["store", web, "absent.dcm"], 1, "absent.dcm");
    fails(path, &["store", web, ".", "--journal", "j.csv"], 1, "--journal is for DICOM nodes");
    fails(path, &["store", "dicom://h:104", "."], 1, "dicom://TITLE@host:port");
    fails(path, &["store", "dicom://A@h:104", ".", "--token-env", "PACS_PASSWORD"], 1, "leave these options away");
    fails(path, &["store", web, "."], 1, "there is no DICOM file");
    fails(path, &["store", "dicom://A@127.0.0.1:1", "--check", "--attempts", "1"], 1, "cannot be reached (attempt 1)");
    assert!(!path.join("images").exists());
}

#[test]
fn objects_that_are_refused_end_the_command_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Geometry::axis_aligned([4, 4, 1], [1.0; 3]).unwrap();
    let attributes = SeriesAttributes::new("P001", "T1");
    write_series(folder.path().join("series"), &[Phase::new(Volume::filled(grid, 1_u16), 0.0)], &attributes).unwrap();
    let (address, handle) = server(vec![answer("404 Not Found", ""), answer("409 Conflict", "{}")]);
    fails(folder.path(), &["store", &address, "series"], 1, "1 objects are not stored");
    assert!(handle.join().unwrap()[1][0].starts_with("POST /dicom-web/studies "));
}

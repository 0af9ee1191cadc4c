//! C-ECHO and C-STORE, on a node that fails when it is told to.

// A test that cannot write its files must end, also in its helpers.
#![allow(clippy::unwrap_used)]

mod archive;
#[path = "../src/objects_of_tests.rs"]
mod objects_of_tests;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use alnm_pacs::{DicomNode, DicomNodeParams, LocalObject, LocalObjects, PacsError, StoreJournal, TransferEvent};
use archive::{Archive, Fault, State};
use objects_of_tests::part10;

const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
const UIDS: [&str; 3] = ["1.71", "1.72", "1.73"];

fn objects_in(folder: &Path) -> Vec<LocalObject> {
    for uid in UIDS {
        fs::write(folder.join(uid), part10("1.5", "1.6", uid, 200_000)).unwrap();
    }
    LocalObjects::find(&[folder]).unwrap().objects
}

/// What lies behind the meta group of the file of an object.
fn data_set(uid: &str) -> Vec<u8> {
    let file = part10("1.5", "1.6", uid, 200_000);
    let length = u32::from_le_bytes(file[140..144].try_into().unwrap()) as usize;
    file[144 + length..].to_vec()
}

fn assert_stored(archive: &Archive) {
    let state = archive.state();
    assert_eq!(state.objects.len(), UIDS.len());
    for uid in UIDS {
        assert!(state.objects[uid] == data_set(uid), "{uid}");
    }
}

fn node(archive: &Archive) -> DicomNode {
    let params = DicomNodeParams::new(&archive.address, "ARCHIVE").with_calling_title("RESEARCH");
    params.with_first_pause(Duration::from_millis(1)).with_timeout(Duration::from_secs(20)).check().unwrap()
}

fn go_on(_: TransferEvent<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn an_echo_and_objects_arrive() {
    let archive = Archive::start(State::default());
    node(&archive).echo(&mut go_on).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut bytes, mut done) = (0, Vec::new());
    let mut observer = |event: TransferEvent<'_>| {
        match event {
            TransferEvent::Bytes(count) => bytes += count,
            TransferEvent::Done { sop_instance_uid } => done.push(sop_instance_uid.to_owned()),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let report = node(&archive).store(&objects_in(folder.path()), None, &mut observer).unwrap();
    assert_eq!((report.stored, report.failed.len(), report.warnings.len()), (3, 0, 0));
    assert_eq!(done, UIDS);
    assert_eq!(bytes, UIDS.iter().map(|uid| data_set(uid).len() as u64).sum::<u64>());
    assert_stored(&archive);
    let state = archive.state();
    assert_eq!((state.associations, state.releases), (2, 2));
    assert_eq!(state.titles[0], ("ARCHIVE".to_owned(), "RESEARCH".to_owned()));
}

#[test]
fn connections_that_break_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path());
    for fault in [
        Fault::CloseAfter(0),
        Fault::CloseAfter(100_000),
        Fault::CloseBeforeAnswer,
        Fault::Abort,
        Fault::HugeMessage,
        Fault::Command(vec![0; 1 << 16]),
    ] {
        let state = State { faults: vec![fault.clone(), fault.clone()], ..State::default() };
        let archive = Archive::start(state);
        let report = node(&archive).store(&objects, None, &mut go_on).unwrap();
        assert_eq!((report.stored, report.failed.len()), (3, 0), "{fault:?}");
        assert_stored(&archive);
        assert_eq!(archive.state().associations, 3);
    }
    let state = State { faults: vec![Fault::CloseBeforeAnswer; 9], ..State::default() };
    let archive = Archive::start(state);
    let error = node(&archive).store(&objects, None, &mut go_on).unwrap_err();
    assert!(matches!(error, PacsError::Connection { attempts: 5, .. }), "{error}");
    let nobody = DicomNodeParams::new("127.0.0.1:1", "X").with_first_pause(Duration::ZERO).check().unwrap();
    assert!(matches!(nobody.echo(&mut go_on), Err(PacsError::Connection { attempts: 5, .. })));
}

#[test]
fn an_object_that_is_given_up_half_way_is_not_kept_by_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path());
    let archive = Archive::start(State::default());
    let mut bytes = 0;
    let mut observer = |event: TransferEvent<'_>| {
        if let TransferEvent::Bytes(count) = event {
            bytes += count;
        }
        if bytes > 100_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert!(matches!(node(&archive).store(&objects, None, &mut observer), Err(PacsError::Cancelled)));
    // The node serves one association after the other, so that it is done with the first.
    node(&archive).echo(&mut go_on).unwrap();
    assert!(archive.state().objects.is_empty());
}

#[test]
fn a_journal_remembers_what_was_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path());
    let journal_path = folder.path().join("stored.csv");
    let archive = Archive::start(State::default());
    let mut done = 0;
    let mut observer = |event: TransferEvent<'_>| {
        done += usize::from(matches!(event, TransferEvent::Done { .. }));
        if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut journal = StoreJournal::open(&journal_path).unwrap();
    let stopped = node(&archive).store(&objects, Some(&mut journal), &mut observer);
    assert!(matches!(stopped, Err(PacsError::Cancelled)));
    drop(journal);
    let mut journal = StoreJournal::open(&journal_path).unwrap();
    let report = node(&archive).store(&objects, Some(&mut journal), &mut go_on).unwrap();
    assert_eq!((report.stored, report.already_there), (1, 2));
    assert_stored(&archive);
    // Another content is another object to the journal.
    fs::write(&objects[0].path, part10("1.5", "1.6", UIDS[0], 100)).unwrap();
    let changed = LocalObjects::find(&[&objects[0].path]).unwrap().objects;
    assert_eq!(node(&archive).store(&changed, Some(&mut journal), &mut go_on).unwrap().stored, 1);
    assert_eq!(node(&archive).store(&changed, Some(&mut journal), &mut go_on).unwrap().already_there, 1);
}

#[test]
fn what_the_node_refuses_is_told_object_by_object() {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path());
    let state = State { statuses: [("1.71", 0xa700), ("1.72", 0xb000)].into(), ..State::default() };
    let archive = Archive::start(state);
    let report = node(&archive).store(&objects, None, &mut go_on).unwrap();
    assert_eq!((report.stored, report.failed.len(), report.warnings.len()), (2, 1, 1));
    assert!(report.failed[0].reason.contains("out of resources"), "{}", report.failed[0].reason);
    assert!(report.warnings[0].contains("1.72 is stored, with a warning: coerced"), "{}", report.warnings[0]);
    let archive = Archive::start(State { unknown_classes: vec![SECONDARY_CAPTURE], ..State::default() });
    let report = node(&archive).store(&objects, None, &mut go_on).unwrap();
    assert_eq!((report.stored, report.failed.len()), (0, 3));
    assert!(report.failed[0].reason.contains("accepts no 1.2.840.10008.5.1.4.1.1.7 in"), "{}", report.failed[0].reason);
}

#[test]
fn rejections_and_answers_that_make_no_sense_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let objects = objects_in(folder.path());
    for (fault, words) in [
        (Fault::Reject, "it has to know the calling title \"RESEARCH\" and be called \"ARCHIVE\""),
        (Fault::Command(vec![0; 7]), "cut short"),
        (Fault::Command(b"\0\0\0\x01\xff\xff\xff\xff".to_vec()), "cut short"),
        (Fault::Command(Vec::new()), "answers without CommandField"),
    ] {
        let archive = Archive::start(State { faults: vec![fault], ..State::default() });
        let error = node(&archive).store(&objects, None, &mut go_on).unwrap_err();
        assert!(matches!(error, PacsError::Node { .. }) && error.to_string().contains(words), "{words}: {error}");
    }
}

//! Storing (STOW-RS, PS3.18 section 10.5): files to a server, those that it has already left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Cursor, Read};

use crate::content_hash::hash_of;
use crate::dicom_json::JsonDataSet;
use crate::dicomweb::DicomWeb;
use crate::error::{PacsError, Result};
use crate::progress::{TransferEvent, TransferObserver, tell};
use crate::retry::Failure;
use crate::store_report::{StoreReport, meaning_of_status};
use crate::stored_objects::LocalObject;

const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
const WARNING_REASON: u32 = 0x0008_1196;
const FAILURE_REASON: u32 = 0x0008_1197;
const FAILED_SOP_SEQUENCE: u32 = 0x0008_1198;
const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;

/// The most objects that are sent in one request.
const MOST_OBJECTS: usize = 200;

/// Which objects are sent although the server has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resend {
    /// Objects that the other side has by their identifiers are not sent.
    #[default]
    Never,
    /// All objects are sent.
    All,
}

impl DicomWeb {
    /// Stores objects. The server is asked which of them it has by their identifiers, and those are not sent, unless
    /// `resend` says so. An object counts as stored when the server confirms it; so each call goes on where the last
    /// one ended, however that ended.
    ///
    /// # Errors
    /// Those of [`DicomWeb::search_studies`], and [`PacsError::File`] when a file cannot be read. Single objects that
    /// the server refuses are no error: see [`StoreReport::failed`].
    pub fn store(
        &self,
        objects: &[LocalObject],
        resend: Resend,
        observer: &mut TransferObserver<'_>,
    ) -> Result<StoreReport> {
        let mut report = StoreReport::default();
        let there = match resend {
            Resend::Never => self.there(objects, observer)?,
            // Refused credentials are told before anything is sent.
            Resend::All => self.verify(observer).map(|()| BTreeSet::new())?,
        };
        let is_there = |object: &&LocalObject| there.contains(&object.identity.sop_instance_uid);
        let (present, absent): (Vec<&LocalObject>, Vec<&LocalObject>) = objects.iter().partition(is_there);
        report.already_there = present.len();
        tell(observer, TransferEvent::Planned { objects: absent.len(), already_there: present.len() })?;
        let mut rest = absent.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(self.batch_length(rest));
            self.store_batch(batch, &mut report, observer)?;
            rest = behind;
        }
        Ok(report)
    }

    /// The objects that the server has, of the studies of these.
    fn there(&self, objects: &[LocalObject], observer: &mut TransferObserver<'_>) -> Result<BTreeSet<String>> {
        let studies: BTreeSet<&str> =
            objects.iter().map(|object| object.identity.study_instance_uid.as_str()).collect();
        let mut there = BTreeSet::new();
        for study in studies {
            there.append(&mut self.instances_of_study(study, observer)?);
        }
        Ok(there)
    }

    /// How many of these objects are sent in one request: one at least.
    fn batch_length(&self, objects: &[&LocalObject]) -> usize {
        let mut bytes = 0;
        let fits = |object: &&&LocalObject| {
            bytes += object.bytes;
            bytes <= self.batch_bytes
        };
        objects.iter().take(MOST_OBJECTS).take_while(fits).count().max(1)
    }

    /// Sends a batch; where the server refuses it as a whole, its objects one by one, so that one does no harm to
    /// others.
    fn store_batch(
        &self,
        batch: &[&LocalObject],
        report: &mut StoreReport,
        observer: &mut TransferObserver<'_>,
    ) -> Result<()> {
        let sent = self.http.retry().run(observer, |observer, attempt| self.send(batch, observer, attempt));
        match (sent, batch) {
            (Ok(answer), _) => {
                let outcomes = Outcomes::of(&answer).map_err(|error| {
                    PacsError::answer(self.http.url("/studies"), format!("is no data set: {error}"))
                })?;
                batch.iter().try_for_each(|object| outcomes.enter(object, report, observer))
            }
            (Err(error @ PacsError::Status { .. }), [object]) => {
                report.fail(object, error.to_string());
                Ok(())
            }
            (Err(PacsError::Status { .. }), objects) => {
                objects.iter().try_for_each(|&object| self.store_batch(&[object], report, observer))
            }
            (Err(error), _) => Err(error),
        }
    }

    fn send(
        &self,
        batch: &[&LocalObject],
        observer: &mut TransferObserver<'_>,
        attempt: u32,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = StoreBody::new(batch, observer);
        let content_type = body.content_type();
        let answer = self.http.post("/studies", &content_type, body.length, &mut body, attempt);
        match (body.problem, answer) {
            // The connection breaks when the body cannot be read, and that is not the server's fault.
            (Some(problem), _) => Err(problem.into()),
            (None, answer) => answer,
        }
    }
}

/// What a server says of the objects that it was sent.
struct Outcomes {
    /// Objects that were stored, with the codes of warnings.
    stored: BTreeMap<String, Option<u16>>,
    /// Objects that were not, with codes.
    failed: BTreeMap<String, Option<u16>>,
}

impl Outcomes {
    fn of(answer: &[u8]) -> serde_json::Result<Self> {
        let data_set = JsonDataSet::one(answer)?;
        let by_instance = |sequence, reason| {
            let of_item = |item: &JsonDataSet| {
                let code = item.whole_number(reason).and_then(|code| u16::try_from(code).ok());
                Some((item.text(REFERENCED_SOP_INSTANCE_UID)?, code))
            };
            data_set.items(sequence).iter().filter_map(of_item).collect()
        };
        Ok(Self {
            stored: by_instance(REFERENCED_SOP_SEQUENCE, WARNING_REASON),
            failed: by_instance(FAILED_SOP_SEQUENCE, FAILURE_REASON),
        })
    }

    /// Enters what became of an object.
    fn enter(&self, object: &LocalObject, report: &mut StoreReport, observer: &mut TransferObserver<'_>) -> Result<()> {
        let uid = &object.identity.sop_instance_uid;
        match (self.failed.get(uid), self.stored.get(uid)) {
            (Some(Some(code)), _) => report.fail(object, meaning_of_status(*code)),
            (Some(None), _) => report.fail(object, "the server does not say why"),
            (None, None) => report.fail(
                object,
                "the server's answer does not mention it, so it may not be stored; the disk of the server may be full",
            ),
            (None, Some(warning)) => {
                if let Some(code) = warning.filter(|&code| code != 0) {
                    report.warnings.push(format!("{uid} is stored, with a warning: {}", meaning_of_status(code)));
                }
                report.confirm(object);
                tell(observer, TransferEvent::Done { sop_instance_uid: uid })?;
            }
        }
        Ok(())
    }
}

/// The body of a request: files, and what stands between them, read as they are sent.
struct StoreBody<'a, 'o> {
    batch: &'a [&'a LocalObject],
    boundary: String,
    /// Bytes of all.
    length: u64,
    /// Objects that were begun.
    begun: usize,
    piece: Piece,
    observer: &'a mut TransferObserver<'o>,
    /// Why the body could not be read to its end.
    problem: Option<PacsError>,
}

/// What is being sent.
enum Piece {
    /// What stands before an object, or behind the last.
    Between(Cursor<Vec<u8>>),
    /// A file, of which so many bytes are still to come.
    Object(File, u64),
    Nothing,
}

impl<'a, 'o> StoreBody<'a, 'o> {
    fn new(batch: &'a [&'a LocalObject], observer: &'a mut TransferObserver<'o>) -> Self {
        let uids: String = batch.iter().map(|object| object.identity.sop_instance_uid.as_str()).collect();
        let boundary = format!("alnm-{}", &hash_of(uids.as_bytes())[..40]);
        let mut body = Self { batch, boundary, length: 0, begun: 0, piece: Piece::Nothing, observer, problem: None };
        let objects = batch.iter().enumerate();
        let length = objects.map(|(number, object)| body.before(number).len() as u64 + object.bytes).sum::<u64>();
        body.length = length + body.end().len() as u64;
        body.piece = Piece::Between(Cursor::new(body.before(0)));
        body
    }

    fn content_type(&self) -> String {
        format!("multipart/related; type=\"application/dicom\"; boundary={}", self.boundary)
    }

    /// What stands before an object.
    fn before(&self, number: usize) -> Vec<u8> {
        let line = if number == 0 { "" } else { "\r\n" };
        format!("{line}--{}\r\nContent-Type: application/dicom\r\n\r\n", self.boundary).into_bytes()
    }

    fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    /// Goes on behind a piece that is sent.
    fn next_piece(&mut self) -> Result<()> {
        self.piece = match &self.piece {
            Piece::Between(_) => match self.batch.get(self.begun) {
                Some(object) => {
                    self.begun += 1;
                    let file = File::open(&object.path).map_err(|error| PacsError::file(&object.path, &error))?;
                    Piece::Object(file, object.bytes)
                }
                None => Piece::Nothing,
            },
            Piece::Object(..) if self.begun < self.batch.len() => Piece::Between(Cursor::new(self.before(self.begun))),
            Piece::Object(..) => Piece::Between(Cursor::new(self.end())),
            Piece::Nothing => Piece::Nothing,
        };
        Ok(())
    }

    fn read_piece(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            let count = match &mut self.piece {
                Piece::Between(text) => text.read(into).unwrap_or(0),
                Piece::Object(file, left) => {
                    let object = self.batch[self.begun - 1];
                    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
                    let count = file.read(&mut into[..most]).map_err(|error| PacsError::file(&object.path, &error))?;
                    if count == 0 && *left > 0 {
                        let problem = "became shorter while it was sent".to_owned();
                        return Err(PacsError::File { path: object.path.clone(), problem });
                    }
                    *left -= count as u64;
                    tell(self.observer, TransferEvent::Bytes(count as u64))?;
                    count
                }
                Piece::Nothing => return Ok(0),
            };
            if count > 0 {
                return Ok(count);
            }
            self.next_piece()?;
        }
    }
}

impl Read for StoreBody<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        self.read_piece(into).map_err(|problem| {
            let told = io::Error::other(problem.to_string());
            self.problem = Some(problem);
            told
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::multipart::Multipart;
    use crate::objects_of_tests::part10;
    use crate::stored_objects::LocalObjects;

    #[test]
    fn a_body_is_as_long_as_announced_and_holds_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let contents = [part10("1.5", "1.6", "1.7", 100_001), part10("1.5", "1.6", "1.8", 0)];
        for (name, content) in ["a", "b"].iter().zip(&contents) {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let objects = LocalObjects::find(&[folder.path()]).unwrap().objects;
        let batch: Vec<&LocalObject> = objects.iter().collect();
        let mut sent = 0;
        let mut observer = |event: TransferEvent<'_>| {
            if let TransferEvent::Bytes(count) = event {
                sent += count;
            }
            ControlFlow::Continue(())
        };
        let mut body = StoreBody::new(&batch, &mut observer);
        let (length, content_type) = (body.length, body.content_type());
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        assert_eq!(sent, contents.iter().map(|content| content.len() as u64).sum::<u64>());
        let mut parts = Multipart::new(bytes.as_slice(), &content_type).unwrap();
        for content in &contents {
            let mut part = parts.next_part().unwrap().unwrap();
            assert_eq!(part.content_type(), Some("application/dicom"));
            let mut back = Vec::new();
            part.read_to_end(&mut back).unwrap();
            assert!(back == *content);
        }
        assert!(parts.next_part().unwrap().is_none());
        std::fs::write(folder.path().join("a"), "short").unwrap();
        let mut stop = |_: TransferEvent<'_>| ControlFlow::Continue(());
        let mut body = StoreBody::new(&batch, &mut stop);
        assert!(body.read_to_end(&mut bytes).is_err());
        assert!(body.problem.unwrap().to_string().contains("became shorter"));
    }
}

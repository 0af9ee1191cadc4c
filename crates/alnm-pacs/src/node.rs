//! DICOM nodes: verification (C-ECHO) and storage (C-STORE) by the services of PS3.7 over TCP.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::time::Duration;

use dicom_ul::association::Error;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use dicom_ul::{ClientAssociation, ClientAssociationOptions};

use crate::command_set::{Answer, MOST_BYTES, Request};
use crate::content_hash::hash_of_file;
use crate::error::{PacsError, Result};
use crate::progress::{TransferEvent, TransferObserver, tell};
use crate::retry::{Failure, Retry};
use crate::store_journal::StoreJournal;
use crate::store_report::{StoreReport, is_stored, is_warning, meaning_of_status};
use crate::stored_objects::LocalObject;

/// The most kinds of objects in one association: identifiers of presentation contexts are odd numbers up to 255.
const MOST_CONTEXTS: usize = 128;

const IMPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";

/// A DICOM node and how to talk to it.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `address` | | host and port, for instance `pacs.example.org:104` | |
/// | `called_title` | | the node's title | 1 to 16 characters of ASCII, no backslash |
/// | `calling_title` | `ALNM` | the title of this program, which many nodes have to know | as above |
/// | `timeout` | 2 min | the longest time without a byte from the node | 1 ms or longer |
/// | `attempts` | 5 | how often in a row something is tried without any progress | 1 to 100 |
/// | `first_pause` | 0.5 s | the pause after the first attempt; it doubles, up to half a minute | |
///
/// ```no_run
/// use alnm_pacs::{DicomNodeParams, LocalObjects, StoreJournal};
/// use std::ops::ControlFlow;
///
/// let node = DicomNodeParams::new("pacs.example.org:104", "ARCHIVE").check()?;
/// node.echo(&mut |_| ControlFlow::Continue(()))?;
/// let found = LocalObjects::find(&["results"])?;
/// let mut journal = StoreJournal::open("stored.csv")?;
/// let report = node.store(&found.objects, Some(&mut journal), &mut |_| ControlFlow::Continue(()))?;
/// assert!(report.is_complete());
/// # Ok::<(), alnm_pacs::PacsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DicomNodeParams {
    /// Host and port.
    pub address: String,
    /// The node's title.
    pub called_title: String,
    /// The title of this program.
    pub calling_title: String,
    /// The longest time without a byte from the node.
    pub timeout: Duration,
    /// How often in a row something is tried without any progress.
    pub attempts: u32,
    /// The pause after the first attempt.
    pub first_pause: Duration,
}

impl DicomNodeParams {
    /// A node by its address and title.
    pub fn new(address: impl Into<String>, called_title: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            called_title: called_title.into(),
            calling_title: "ALNM".to_owned(),
            timeout: Duration::from_secs(120),
            attempts: 5,
            first_pause: Duration::from_millis(500),
        }
    }

    /// The title of this program.
    #[must_use]
    pub fn with_calling_title(self, calling_title: impl Into<String>) -> Self {
        Self { calling_title: calling_title.into(), ..self }
    }

    /// The longest time without a byte from the node.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often in a row something is tried without any progress.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The pause after the first attempt.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The node, not connected to yet.
    ///
    /// # Errors
    /// [`PacsError::InvalidParameter`] for a parameter outside its range.
    pub fn check(self) -> Result<DicomNode> {
        let port = self.address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
            let requirement = "the address of a node is host:port, for instance pacs.example.org:104";
            return Err(PacsError::parameter("address", format!("{:?}", self.address), requirement));
        }
        for (name, title) in [("called_title", &self.called_title), ("calling_title", &self.calling_title)] {
            let is_visible = title.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\');
            if title.trim().is_empty() || title.len() > 16 || !is_visible {
                let requirement = "a title has 1 to 16 characters of ASCII and no backslash";
                return Err(PacsError::parameter(name, format!("{title:?}"), requirement));
            }
        }
        if !(1..=100).contains(&self.attempts) {
            return Err(PacsError::parameter("attempts", self.attempts, "it has to be from 1 to 100"));
        }
        if self.timeout < Duration::from_millis(1) {
            return Err(PacsError::parameter("timeout", format!("{:?}", self.timeout), "1 ms or longer"));
        }
        Ok(DicomNode { params: self })
    }
}

/// A DICOM node, made by [`DicomNodeParams::check`].
#[derive(Debug, Clone)]
pub struct DicomNode {
    params: DicomNodeParams,
}

/// A kind of objects: class and transfer syntax.
type Kind<'a> = (&'a str, &'a str);

impl DicomNode {
    /// Title and address, `TITLE@host:port`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.params.called_title, self.params.address)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: self.params.attempts, first_pause: self.params.first_pause }
    }

    /// Asks whether the node answers (C-ECHO).
    ///
    /// # Errors
    /// [`PacsError::Connection`] when it cannot be reached, [`PacsError::Node`] when it refuses the association or
    /// answers with another status than success, [`PacsError::Cancelled`].
    pub fn echo(&self, observer: &mut TransferObserver<'_>) -> Result<()> {
        let kinds = [(Request::VERIFICATION, IMPLICIT_LITTLE_ENDIAN)];
        self.retry().run(observer, |_, attempt| {
            let no_verification = || self.problem("offers no verification");
            let mut talk = self.talk(&kinds, attempt)?.ok_or_else(no_verification)?;
            let context = talk.context_of(kinds[0]).ok_or_else(no_verification)?;
            let answer = talk.ask(Request::Echo, context)?;
            talk.release();
            match answer.status {
                0 => Ok(()),
                status => Err(self.problem(format!("answers {}", meaning_of_status(status))).into()),
            }
        })
    }

    /// Stores objects (C-STORE). Those that a journal holds are not sent; those that the node confirms are entered
    /// there.
    ///
    /// Files are sent as they are, in the transfer syntax that they have. A connection that breaks is made again, and
    /// the object that was under way is sent again.
    ///
    /// # Errors
    /// [`PacsError::Connection`] and [`PacsError::Node`] as for [`DicomNode::echo`], [`PacsError::File`] when a file
    /// cannot be read or the journal not be written, [`PacsError::Cancelled`]. Single objects that the node refuses are
    /// no error: see [`StoreReport::failed`].
    pub fn store(
        &self,
        objects: &[LocalObject],
        journal: Option<&mut StoreJournal>,
        observer: &mut TransferObserver<'_>,
    ) -> Result<StoreReport> {
        let mut storing = Storing::new(self, objects, journal)?;
        let already_there = storing.report.already_there;
        tell(observer, TransferEvent::Planned { objects: storing.pending.len(), already_there })?;
        let mut attempt = 1;
        while !storing.pending.is_empty() {
            let before = storing.pending.len();
            match storing.run(observer, attempt) {
                Ok(()) => attempt = 1,
                Err(failure) => {
                    attempt = if storing.pending.len() < before { 1 } else { attempt };
                    self.retry().after(observer, failure, attempt)?;
                    attempt += 1;
                }
            }
        }
        Ok(storing.report)
    }

    fn problem(&self, problem: impl Into<String>) -> PacsError {
        PacsError::Node { node: self.name(), problem: problem.into() }
    }

    /// Makes an association for some kinds of objects; none when the node accepts none of them.
    fn talk<'a>(&self, kinds: &'a [Kind<'a>], attempt: u32) -> Result<Option<Talk<'a>>, Failure> {
        let DicomNodeParams { address, called_title, calling_title, timeout, .. } = &self.params;
        let mut options = ClientAssociationOptions::new()
            .calling_ae_title(calling_title.as_str())
            .called_ae_title(called_title.as_str())
            .read_timeout(*timeout)
            .write_timeout(*timeout)
            .connection_timeout(*timeout);
        for &(class, syntax) in kinds {
            options = options.with_presentation_context(class, vec![syntax]);
        }
        match options.establish(address.as_str()) {
            Ok(mut association) => {
                // A request and its data follow each other: without this each waits until the one before is acknowledged,
                // which takes a tenth of a second for an object. Where it cannot be set, it is slow and no less right.
                let _ = association.inner_stream().set_nodelay(true);
                Ok(Some(Talk { association, node: self.clone(), kinds, attempt, message: 0 }))
            }
            Err(Error::NoAcceptedPresentationContexts { .. }) => Ok(None),
            Err(error) => Err(self.failure(&error, attempt)),
        }
    }

    /// An association that was not made, or broke.
    fn failure(&self, error: &Error, attempt: u32) -> Failure {
        match error {
            Error::Rejected { association_rj, .. } => {
                let error = self.problem(format!(
                    "rejects the association ({}); it has to know the calling title {:?} and be called {:?}",
                    association_rj.source, self.params.calling_title, self.params.called_title
                ));
                let passes = association_rj.result == dicom_ul::pdu::AssociationRJResult::Transient;
                if passes { Failure::Passing { error, after: None } } else { Failure::Final(error) }
            }
            Error::ToAddress { source, .. } => {
                let reason = format!("no host has this name: {source}");
                Failure::Final(PacsError::Connection { server: self.name(), reason, attempts: attempt })
            }
            error => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
                self.broken(format!("{error}{cause}"), attempt)
            }
        }
    }

    fn broken(&self, reason: String, attempt: u32) -> Failure {
        let error = PacsError::Connection { server: self.name(), reason, attempts: attempt };
        Failure::Passing { error, after: None }
    }
}

/// Objects on their way to a node.
struct Storing<'a> {
    node: &'a DicomNode,
    /// Those that were neither confirmed nor refused, with the hash of their file where there is a journal.
    pending: VecDeque<(&'a LocalObject, Option<String>)>,
    journal: Option<&'a mut StoreJournal>,
    report: StoreReport,
}

impl<'a> Storing<'a> {
    fn new(node: &'a DicomNode, objects: &'a [LocalObject], journal: Option<&'a mut StoreJournal>) -> Result<Self> {
        let mut storing = Self { node, pending: VecDeque::new(), journal, report: StoreReport::default() };
        let name = node.name();
        for object in objects {
            let Some(journal) = &storing.journal else {
                storing.pending.push_back((object, None));
                continue;
            };
            let hash = hash_of_file(&object.path).map_err(|error| PacsError::file(&object.path, &error))?;
            if journal.holds(&name, &object.identity.sop_instance_uid, &hash) {
                storing.report.already_there += 1;
            } else {
                storing.pending.push_back((object, Some(hash)));
            }
        }
        Ok(storing)
    }

    /// One association: the objects of as many kinds as it can have, one after the other.
    fn run(&mut self, observer: &mut TransferObserver<'_>, attempt: u32) -> Result<(), Failure> {
        let mut kinds: Vec<Kind<'a>> = Vec::new();
        for kind in self.pending.iter().map(|(object, _)| kind_of(object)) {
            if !kinds.contains(&kind) {
                if kinds.len() == MOST_CONTEXTS {
                    break;
                }
                kinds.push(kind);
            }
        }
        let mut talk = self.node.talk(&kinds, attempt)?;
        while let Some((object, hash)) = self.pending.front() {
            let (object, hash) = (*object, hash.clone());
            let kind = kind_of(object);
            if !kinds.contains(&kind) {
                break;
            }
            match talk.as_mut().and_then(|talk| Some((talk.context_of(kind)?, talk))) {
                None => {
                    let (class, syntax) = kind;
                    self.report.fail(object, format!("the node accepts no {class} in the transfer syntax {syntax}"));
                }
                Some((context, talk)) => {
                    let answer = talk.store(object, context, observer)?;
                    self.enter(object, hash, &answer, observer)?;
                }
            }
            self.pending.pop_front();
        }
        if let Some(talk) = talk {
            talk.release();
        }
        Ok(())
    }

    /// Enters what the node says of an object.
    fn enter(
        &mut self,
        object: &LocalObject,
        hash: Option<String>,
        answer: &Answer,
        observer: &mut TransferObserver<'_>,
    ) -> Result<()> {
        let uid = &object.identity.sop_instance_uid;
        let told = if answer.comment.is_empty() { String::new() } else { format!(": {}", answer.comment) };
        let meaning = format!("{}{told}", meaning_of_status(answer.status));
        if !is_stored(answer.status) {
            self.report.fail(object, meaning);
            return Ok(());
        }
        if is_warning(answer.status) {
            self.report.warnings.push(format!("{uid} is stored, with a warning: {meaning}"));
        }
        if let (Some(journal), Some(hash)) = (&mut self.journal, hash) {
            journal.record(&self.node.name(), uid, &hash)?;
        }
        self.report.confirm(object);
        tell(observer, TransferEvent::Done { sop_instance_uid: uid })
    }
}

fn kind_of(object: &LocalObject) -> Kind<'_> {
    (&object.identity.sop_class_uid, &object.transfer_syntax_uid)
}

/// An association.
struct Talk<'a> {
    association: ClientAssociation<TcpStream>,
    node: DicomNode,
    kinds: &'a [Kind<'a>],
    attempt: u32,
    /// Number of the last message.
    message: u16,
}

impl Talk<'_> {
    /// The identifier of the context in which the node accepts a kind of objects.
    fn context_of(&self, kind: Kind<'_>) -> Option<u8> {
        let place = self.kinds.iter().position(|found| *found == kind)?;
        // Contexts are numbered by odd numbers in the order in which they were proposed.
        let id = u8::try_from(2 * place + 1).ok()?;
        self.association.presentation_contexts().iter().find(|context| context.id == id).map(|context| context.id)
    }

    /// Sends a request without data and waits for its answer.
    fn ask(&mut self, request: Request<'_>, context: u8) -> Result<Answer, Failure> {
        let message = self.send(request, context)?;
        self.answer(request, message)
    }

    /// Sends an object and waits for the answer.
    fn store(
        &mut self,
        object: &LocalObject,
        context: u8,
        observer: &mut TransferObserver<'_>,
    ) -> Result<Answer, Failure> {
        let unreadable = |error: io::Error| Failure::Final(PacsError::file(&object.path, &error));
        let mut file = File::open(&object.path).map_err(unreadable)?;
        file.seek(SeekFrom::Start(object.meta_bytes)).map_err(unreadable)?;
        let mut left = object.bytes - object.meta_bytes;
        let request = Request::Store {
            sop_class_uid: &object.identity.sop_class_uid,
            sop_instance_uid: &object.identity.sop_instance_uid,
        };
        let message = self.send(request, context)?;
        let (node, attempt) = (&self.node, self.attempt);
        let mut data = self.association.send_pdata(context);
        let mut buffer = vec![0; 1 << 16];
        let mut pass_on = || -> Result<(), Failure> {
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                let count = file.read(&mut buffer[..most]).map_err(unreadable)?;
                if count == 0 {
                    let problem = "became shorter while it was sent".to_owned();
                    return Err(PacsError::File { path: object.path.clone(), problem }.into());
                }
                left -= count as u64;
                data.write_all(&buffer[..count]).map_err(|error| node.broken(error.to_string(), attempt))?;
                tell(observer, TransferEvent::Bytes(count as u64))?;
            }
            Ok(())
        };
        if let Err(failure) = pass_on() {
            // Dropped, the writer would send what it has as the end of the object, and the node would keep a part of it.
            data.abandon();
            return Err(failure);
        }
        data.finish().map_err(|error| node.broken(error.to_string(), attempt))?;
        self.answer(request, message)
    }

    fn send(&mut self, request: Request<'_>, context: u8) -> Result<u16, Failure> {
        // Numbers of messages may come again when their answers have come.
        self.message = self.message.checked_add(1).unwrap_or(1);
        let command = PDataValue {
            presentation_context_id: context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: request.encode(self.message),
        };
        let sent = self.association.send(&Pdu::PData { data: vec![command] });
        sent.map_err(|error| self.node.failure(&error, self.attempt))?;
        Ok(self.message)
    }

    fn answer(&mut self, request: Request<'_>, message: u16) -> Result<Answer, Failure> {
        let mut command = Vec::new();
        loop {
            acknowledge_at_once(self.association.inner_stream());
            let received = self.association.receive().map_err(|error| self.node.failure(&error, self.attempt))?;
            let values = match received {
                Pdu::PData { data } => data,
                Pdu::AbortRQ { .. } => {
                    return Err(self.node.broken("the node aborts the association".to_owned(), self.attempt));
                }
                _ => return Err(self.node.problem("sends something else where an answer was due").into()),
            };
            for value in values {
                if value.value_type != PDataValueType::Command {
                    return Err(self.node.problem("sends data where an answer was due").into());
                }
                command.extend_from_slice(&value.data);
                if command.len() > MOST_BYTES {
                    return Err(self.node.problem(format!("answers with more than {MOST_BYTES} bytes")).into());
                }
                if value.is_last {
                    return request.answer(message, &command).map_err(|problem| self.node.problem(problem).into());
                }
            }
        }
    }

    /// Ends the association. All answers have come, so nothing hangs on how it ends.
    fn release(self) {
        let _ = self.association.release();
    }
}

/// Asks the system to acknowledge at once what arrives next. A node may send the few bytes before an answer by themselves
/// and wait until they are acknowledged, for which a system takes 40 ms by default. Where it cannot be asked for, it is
/// slow and no less right.
fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::TcpStreamExt;
        let _ = stream.set_quickack(true);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_titles_are_checked() {
        assert_eq!(DicomNodeParams::new("h:104", "PACS").check().unwrap().name(), "PACS@h:104");
        assert!(DicomNodeParams::new("[::1]:104", "A B").check().is_ok());
        for (address, title) in
            [("h", "A"), (":104", "A"), ("h:0", "A"), ("h:99999", "A"), ("h:1", ""), ("h:1", "A\\B")]
        {
            assert!(DicomNodeParams::new(address, title).check().is_err(), "{address} {title}");
        }
        let long = DicomNodeParams::new("h:1", "A").with_calling_title("SEVENTEENLETTERS1");
        assert!(long.check().unwrap_err().to_string().contains("calling_title"));
        assert!(DicomNodeParams::new("h:1", "A").with_attempts(0).check().is_err());
    }
}

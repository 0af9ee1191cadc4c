//! Command sets of messages between nodes (PS3.7, section 6.3 and annex E): elements of group 0000 in implicit little
//! endian, without sequences.

/// The most bytes of a command set that is read.
pub(crate) const MOST_BYTES: usize = 1 << 16;

const GROUP_LENGTH: u16 = 0x0000;
const AFFECTED_SOP_CLASS_UID: u16 = 0x0002;
const COMMAND_FIELD: u16 = 0x0100;
const MESSAGE_ID: u16 = 0x0110;
const MESSAGE_ID_RESPONDED_TO: u16 = 0x0120;
const PRIORITY: u16 = 0x0700;
const DATA_SET_TYPE: u16 = 0x0800;
const STATUS: u16 = 0x0900;
const ERROR_COMMENT: u16 = 0x0902;
const AFFECTED_SOP_INSTANCE_UID: u16 = 0x1000;

const C_STORE_REQUEST: u16 = 0x0001;
const C_ECHO_REQUEST: u16 = 0x0030;
/// What the command of an answer has besides that of its request.
const RESPONSE: u16 = 0x8000;

const WITHOUT_DATA_SET: u16 = 0x0101;
const WITH_DATA_SET: u16 = 0x0001;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Echo,
    Store { sop_class_uid: &'a str, sop_instance_uid: &'a str },
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The words of the other side, empty where it has none.
    pub(crate) comment: String,
}

impl Request<'_> {
    /// The class of the verification service.
    pub(crate) const VERIFICATION: &'static str = "1.2.840.10008.1.1";

    fn field(self) -> u16 {
        match self {
            Self::Echo => C_ECHO_REQUEST,
            Self::Store { .. } => C_STORE_REQUEST,
        }
    }

    /// The command set of the request with a number.
    pub(crate) fn encode(self, message: u16) -> Vec<u8> {
        let mut elements = Vec::new();
        match self {
            Self::Echo => {
                put_uid(&mut elements, AFFECTED_SOP_CLASS_UID, Self::VERIFICATION);
                put_number(&mut elements, COMMAND_FIELD, self.field());
                put_number(&mut elements, MESSAGE_ID, message);
                put_number(&mut elements, DATA_SET_TYPE, WITHOUT_DATA_SET);
            }
            Self::Store { sop_class_uid, sop_instance_uid } => {
                put_uid(&mut elements, AFFECTED_SOP_CLASS_UID, sop_class_uid);
                put_number(&mut elements, COMMAND_FIELD, self.field());
                put_number(&mut elements, MESSAGE_ID, message);
                put_number(&mut elements, PRIORITY, 0);
                put_number(&mut elements, DATA_SET_TYPE, WITH_DATA_SET);
                put_uid(&mut elements, AFFECTED_SOP_INSTANCE_UID, sop_instance_uid);
            }
        }
        let mut command = Vec::new();
        put(&mut command, GROUP_LENGTH, &(elements.len() as u32).to_le_bytes());
        command.extend_from_slice(&elements);
        command
    }

    /// Reads the answer to this request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn answer(self, message: u16, command: &[u8]) -> Result<Answer, String> {
        let elements = elements_of(command)?;
        let number = |element: u16, name: &str| {
            let value = elements.iter().find(|(found, _)| *found == element).map(|(_, value)| *value);
            let value = value.and_then(|value| value.first_chunk().copied()).map(u16::from_le_bytes);
            value.ok_or_else(|| format!("answers without {name}"))
        };
        let (field, responded) =
            (number(COMMAND_FIELD, "CommandField")?, number(MESSAGE_ID_RESPONDED_TO, "a message")?);
        if field != self.field() | RESPONSE || responded != message {
            return Err(format!(
                "answers with the command {field:04X} to message {responded}; {:04X} to message {message} was due",
                self.field() | RESPONSE
            ));
        }
        let comment = elements.iter().find(|(found, _)| *found == ERROR_COMMENT).map_or(&[][..], |(_, value)| value);
        let comment = String::from_utf8_lossy(comment).trim_matches(['\0', ' ']).to_owned();
        Ok(Answer { status: number(STATUS, "Status")?, comment })
    }
}

/// The elements of a command set: element number and value.
fn elements_of(mut command: &[u8]) -> Result<Vec<(u16, &[u8])>, String> {
    let mut elements = Vec::new();
    while !command.is_empty() {
        let cut = || "answers with a command set that is cut short".to_owned();
        let (header, behind) = command.split_first_chunk::<8>().ok_or_else(cut)?;
        let [g0, g1, e0, e1, length @ ..] = *header;
        if u16::from_le_bytes([g0, g1]) != 0 {
            return Err("answers with an element in the command set that is none of a command".to_owned());
        }
        let length = u32::from_le_bytes(length) as usize;
        let (value, behind) = behind.split_at_checked(length).ok_or_else(cut)?;
        elements.push((u16::from_le_bytes([e0, e1]), value));
        command = behind;
    }
    Ok(elements)
}

fn put(command: &mut Vec<u8>, element: u16, value: &[u8]) {
    command.extend_from_slice(&[0, 0]);
    command.extend_from_slice(&element.to_le_bytes());
    command.extend_from_slice(&(value.len() as u32).to_le_bytes());
    command.extend_from_slice(value);
}

fn put_number(command: &mut Vec<u8>, element: u16, number: u16) {
    put(command, element, &number.to_le_bytes());
}

fn put_uid(command: &mut Vec<u8>, element: u16, uid: &str) {
    let mut value = uid.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(0);
    }
    put(command, element, &value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer_to(field: u16, message: u16, status: u16) -> Vec<u8> {
        let mut answer = Vec::new();
        put_number(&mut answer, COMMAND_FIELD, field);
        put_number(&mut answer, MESSAGE_ID_RESPONDED_TO, message);
        put_number(&mut answer, STATUS, status);
        put(&mut answer, ERROR_COMMENT, b"no room ");
        answer
    }

    #[test]
    fn requests_are_those_of_the_standard() {
        // PS3.7 table 9.3-12: C-ECHO-RQ, whose group has 56 bytes behind the group length.
        let echo = Request::Echo.encode(7);
        let uid = b"1.2.840.10008.1.1\0";
        let expected = [
            &b"\0\0\0\0\x04\0\0\0\x38\0\0\0\0\0\x02\0\x12\0\0\0"[..],
            uid,
            b"\0\0\0\x01\x02\0\0\0\x30\0\0\0\x10\x01\x02\0\0\0\x07\0\0\0\0\x08\x02\0\0\0\x01\x01",
        ]
        .concat();
        assert_eq!(echo, expected);
        let store = Request::Store { sop_class_uid: "1.2", sop_instance_uid: "1.3.4" }.encode(1);
        assert!(store.ends_with(b"\0\0\0\x10\x06\0\0\x001.3.4\0"));
        assert_eq!(elements_of(&store).unwrap().len(), 7);
    }

    #[test]
    fn answers_are_read_and_others_refused() {
        let store = Request::Store { sop_class_uid: "1.2", sop_instance_uid: "1.3" };
        let answer = store.answer(3, &answer_to(0x8001, 3, 0xa700)).unwrap();
        assert_eq!(answer, Answer { status: 0xa700, comment: "no room".to_owned() });
        for wrong in [answer_to(0x8030, 3, 0), answer_to(0x8001, 4, 0), answer_to(0x0001, 3, 0), Vec::new()] {
            assert!(store.answer(3, &wrong).is_err());
        }
        let mut huge = answer_to(0x8001, 3, 0);
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(store.answer(3, &huge).unwrap_err().contains("cut short"));
        let whole = answer_to(0x8001, 3, 0);
        for length in 0..30 {
            assert!(store.answer(3, &whole[..length]).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0_usize..60, byte in any::<u8>()) {
            let _ = Request::Echo.answer(1, &bytes);
            let mut damaged = answer_to(0x8030, 1, 0);
            let length = damaged.len();
            damaged[at % length] = byte;
            let _ = Request::Echo.answer(1, &damaged);
        }
    }
}

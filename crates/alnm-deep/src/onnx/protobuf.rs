//! The wire format of Protocol Buffers, read without copies.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content<'a> {
    /// An integer of variable length.
    Varint(u64),
    /// Four bytes.
    Fixed32([u8; 4]),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// A text, a message, or several numbers.
    Bytes(&'a [u8]),
}

/// A field of a message: its number and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) content: Content<'a>,
}

/// Why bytes are no message; the reason says it to a reader.
pub(super) type Reason = &'static str;

/// The fields of a message, in the order of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0u64;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err("an integer is cut off or longer than ten bytes")
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Reason> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.rest.len());
        let (taken, rest) = self.rest.split_at(count.ok_or("a field is longer than what holds it")?);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        self.take(N as u64)?.try_into().map_err(|_| "a number is cut off")
    }

    fn field(&mut self) -> Result<Field<'a>, Reason> {
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed32(self.array()?),
            _ => return Err("a field is of a kind that ONNX does not use"),
        };
        Ok(Field { number: key >> 3, content })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Content<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Reason> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err("a number stands where a text or message is due"),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Reason> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8")
    }

    pub(super) fn integer(self) -> Result<i64, Reason> {
        match self {
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err("an integer is due where something else stands"),
        }
    }

    pub(super) fn float(self) -> Result<f32, Reason> {
        match self {
            Self::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err("a number is due where something else stands"),
        }
    }

    /// Appends an integer, or all of a packed field.
    pub(super) fn append_integers(self, into: &mut Vec<i64>) -> Result<(), Reason> {
        match self {
            Self::Bytes(bytes) => {
                let mut fields = Fields::of(bytes);
                while !fields.rest.is_empty() {
                    into.push(fields.varint()?.cast_signed());
                }
            }
            single => into.push(single.integer()?),
        }
        Ok(())
    }

    /// Appends a number, or all of a packed field.
    pub(super) fn append_floats(self, into: &mut Vec<f32>) -> Result<(), Reason> {
        match self {
            Self::Bytes(bytes) => {
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err("a list of numbers is cut off");
                }
                into.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            single => into.push(single.float()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind_are_read() {
        // Field 1: 150; field 2: "ab"; field 3: 1.0; field 4: eight bytes.
        let message = [8, 0x96, 1, 18, 2, b'a', b'b', 29, 0, 0, 0x80, 0x3f, 33, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields: Vec<Field<'_>> = Fields::of(&message).collect::<Result<_, _>>().unwrap();
        assert_eq!(fields.iter().map(|field| field.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(fields[0].content.integer(), Ok(150));
        assert_eq!(fields[1].content.text(), Ok("ab"));
        assert_eq!(fields[2].content.float(), Ok(1.0));
        assert!(fields[3].content.integer().is_err());
        for end in 1..message.len() {
            let read: Result<Vec<_>, _> = Fields::of(&message[..end]).collect();
            assert_eq!(read.is_ok(), [3, 7, 12].contains(&end), "{end}");
        }
    }

    #[test]
    fn packed_and_single_numbers_are_read_alike() {
        let (mut integers, mut floats) = (Vec::new(), Vec::new());
        Content::Bytes(&[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])
            .append_integers(&mut integers)
            .unwrap();
        Content::Varint(7).append_integers(&mut integers).unwrap();
        assert_eq!(integers, [3, -1, 7]);
        assert!(Content::Bytes(&[0x80]).append_integers(&mut integers).is_err());
        Content::Bytes(&[0, 0, 0x80, 0x3f]).append_floats(&mut floats).unwrap();
        assert!(Content::Bytes(&[0; 5]).append_floats(&mut floats).is_err());
        assert_eq!(floats, [1.0]);
    }
}

//! Small DICOM files that tests write.

/// A file with an object of the storage of secondary captures and some bytes of private data. An empty series leaves
/// the series out.
pub(crate) fn part10(study: &str, series: &str, instance: &str, data: usize) -> Vec<u8> {
    const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
    let uid = |tag: [u8; 4], value: &str| {
        let padded = format!("{value}{}", if value.len() % 2 == 1 { "\0" } else { "" });
        [&tag[..], b"UI", &(padded.len() as u16).to_le_bytes(), padded.as_bytes()].concat()
    };
    let meta =
        [uid([2, 0, 2, 0], SECONDARY_CAPTURE), uid([2, 0, 3, 0], instance), uid([2, 0, 16, 0], "1.2.840.10008.1.2.1")]
            .concat();
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM\x02\0\0\0UL\x04\0");
    file.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    file.extend_from_slice(&meta);
    file.extend_from_slice(&uid([8, 0, 0x16, 0], SECONDARY_CAPTURE));
    file.extend_from_slice(&uid([8, 0, 0x18, 0], instance));
    file.extend_from_slice(&uid([0x20, 0, 0x0d, 0], study));
    if !series.is_empty() {
        file.extend_from_slice(&uid([0x20, 0, 0x0e, 0], series));
    }
    file.extend_from_slice(b"\x21\0\x10\0LO\x04\0ALNM\x21\0\x01\x10OB\0\0");
    let data = data.next_multiple_of(2);
    file.extend_from_slice(&(data as u32).to_le_bytes());
    // Ends of lines and hyphens, as a boundary has them.
    file.extend(b"\r\n--boundary".iter().cycle().take(data));
    file
}

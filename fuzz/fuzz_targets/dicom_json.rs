//! Bytes read as data sets in JSON.
#![no_main]

use alnm_pacs::dicom_json::JsonDataSet;
use libfuzzer_sys::fuzz_target;

/// Tags of a text, a name, an identifier, a number and two sequences.
const TAGS: [u32; 6] = [0x0010_0020, 0x0010_0010, 0x0020_000d, 0x0020_1208, 0x0008_1198, 0x0008_1199];

fn read(data_set: &JsonDataSet) {
    for tag in TAGS {
        let _ = (data_set.text(tag), data_set.texts(tag), data_set.whole_number(tag));
        data_set.items(tag).iter().for_each(read);
    }
}

fuzz_target!(|bytes: &[u8]| {
    JsonDataSet::list(bytes).unwrap_or_default().iter().for_each(read);
    JsonDataSet::one(bytes).iter().for_each(read);
});

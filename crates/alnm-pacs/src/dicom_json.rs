//! Data sets as JSON, in which DICOMweb answers searches and tells what it stored (PS3.18 annex F).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A data set: its attributes by their tags.
///
/// ```
/// use alnm_pacs::dicom_json::JsonDataSet;
///
/// const PATIENT_ID: u32 = 0x0010_0020;
/// let answer = br#"[{"00100020": {"vr": "LO", "Value": ["P001"]}}]"#;
/// let found = JsonDataSet::list(answer)?;
/// assert_eq!(found[0].text(PATIENT_ID).as_deref(), Some("P001"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "BTreeMap<String, Attribute>")]
pub struct JsonDataSet(BTreeMap<u32, Vec<Value>>);

/// An attribute; where its values lie elsewhere (`BulkDataURI`, `InlineBinary`) it has none here.
#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    values: Option<Vec<Value>>,
}

impl From<BTreeMap<String, Attribute>> for JsonDataSet {
    /// What is named by no tag is left out.
    fn from(attributes: BTreeMap<String, Attribute>) -> Self {
        let of_tag = |(tag, attribute): (String, Attribute)| {
            let tag = Some(tag).filter(|tag| tag.len() == 8).and_then(|tag| u32::from_str_radix(&tag, 16).ok())?;
            Some((tag, attribute.values.unwrap_or_default()))
        };
        Self(attributes.into_iter().filter_map(of_tag).collect())
    }
}

impl JsonDataSet {
    /// The data sets of an answer; none where it is empty, as some servers answer a search without a match.
    ///
    /// # Errors
    /// When the text is no JSON, or no list of data sets.
    pub fn list(json: &[u8]) -> serde_json::Result<Vec<Self>> {
        if json.trim_ascii().is_empty() { Ok(Vec::new()) } else { serde_json::from_slice(json) }
    }

    /// The one data set of an answer, which some servers put into a list.
    ///
    /// # Errors
    /// When the text is no JSON, or no data set.
    pub fn one(json: &[u8]) -> serde_json::Result<Self> {
        if json.trim_ascii().starts_with(b"[") {
            return Self::list(json).map(|list| list.into_iter().next().unwrap_or_default());
        }
        serde_json::from_slice(json)
    }

    /// The first value of an attribute as text, a name of a person as it is written in the alphabet.
    #[must_use]
    pub fn text(&self, tag: u32) -> Option<String> {
        self.texts(tag).into_iter().next()
    }

    /// All values of an attribute as texts, empty ones left out.
    #[must_use]
    pub fn texts(&self, tag: u32) -> Vec<String> {
        let of_value = |value: &Value| match value {
            Value::String(text) => Some(text.trim_matches([' ', '\0']).to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(name) => {
                let forms = ["Alphabetic", "Ideographic", "Phonetic"];
                forms.iter().find_map(|form| name.get(*form)?.as_str()).map(|name| name.trim().to_owned())
            }
            _ => None,
        };
        self.values(tag).iter().filter_map(of_value).filter(|text| !text.is_empty()).collect()
    }

    /// The first value of an attribute as a whole number, also where it is written as text.
    #[must_use]
    pub fn whole_number(&self, tag: u32) -> Option<u64> {
        match self.values(tag).first()? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The items of a sequence; what is no data set is left out.
    #[must_use]
    pub fn items(&self, tag: u32) -> Vec<Self> {
        self.values(tag).iter().filter_map(|item| Self::deserialize(item).ok()).collect()
    }

    fn values(&self, tag: u32) -> &[Value] {
        self.0.get(&tag).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Example of PS3.18 F.4, shortened, with a number for a text and a lower-case tag as some servers write them.
    const ANSWER: &str = r#"[{
        "00080005": {"vr": "CS", "Value": ["ISO_IR192"]},
        "00080061": {"vr": "CS", "Value": ["CT", "PET", null, " "]},
        "00081190": {"vr": "UR", "Value": ["http://wado.nema.org/studies/1.2"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小東"}]},
        "0020000d": {"vr": "UI", "Value": ["1.2.392.200036.9116.2.2.2.1762893313.1029997326.945873"]},
        "00201208": {"vr": "IS", "Value": [504]},
        "00201206": {"vr": "IS", "Value": ["4"]},
        "00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.5"]}}, {}, 3]},
        "00091002": {"vr": "UN", "InlineBinary": "z0x9c8v7"},
        "00100020": {"vr": "LO"},
        "PatientID": {"vr": "LO", "Value": ["x"]}
    }]"#;

    #[test]
    fn values_are_read_in_each_of_their_forms() {
        let list = JsonDataSet::list(ANSWER.as_bytes()).unwrap();
        let [study] = list.as_slice() else { panic!("one study") };
        assert_eq!(study.texts(0x0008_0061), ["CT", "PET"]);
        assert_eq!(study.text(0x0010_0010).unwrap(), "Wang^XiaoDong");
        assert!(study.text(0x0020_000d).unwrap().ends_with("945873"));
        assert_eq!((study.whole_number(0x0020_1208), study.whole_number(0x0020_1206)), (Some(504), Some(4)));
        assert_eq!(study.text(0x0020_1208).unwrap(), "504");
        let items = study.items(0x0008_1199);
        assert_eq!((items.len(), items[0].text(0x0008_1155).unwrap()), (2, "1.5".to_owned()));
        assert_eq!(
            (study.text(0x0009_1002), study.text(0x0010_0020), study.whole_number(0x0008_0061)),
            (None, None, None)
        );
        assert_eq!(JsonDataSet::one(ANSWER.as_bytes()).unwrap(), list[0]);
        assert_eq!(JsonDataSet::list(b" \r\n").unwrap(), []);
    }

    #[test]
    fn what_is_no_list_of_data_sets_is_refused() {
        for text in ["{}", "[1]", "[{\"00100020\": 3}]", "[{}", "<html>", "[{\"00100020\": {\"Value\": 1}}]"] {
            assert!(JsonDataSet::list(text.as_bytes()).is_err(), "{text}");
        }
        // Nesting without end is refused, not followed.
        assert!(JsonDataSet::list("[{\"00081199\":{\"Value\":".repeat(100_000).as_bytes()).is_err());
        assert!(JsonDataSet::one(b"").is_err());
    }

    proptest! {
        #[test]
        fn damaged_answers_give_a_data_set_or_an_error(at in 0_usize..2000, byte in any::<u8>(), cut in 0_usize..2000) {
            let mut json = ANSWER.as_bytes().to_vec();
            let length = json.len();
            json[at % length] = byte;
            json.truncate(length - if cut % 2 == 0 { 0 } else { cut % length });
            for data_set in JsonDataSet::list(&json).unwrap_or_default() {
                for tag in [0x0008_0061, 0x0010_0010, 0x0020_000d, 0x0020_1208, 0x0008_1199] {
                    let _ = (data_set.texts(tag), data_set.whole_number(tag), data_set.items(tag));
                }
            }
        }
    }
}

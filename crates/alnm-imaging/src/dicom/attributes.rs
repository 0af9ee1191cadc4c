//! Values of attributes, leniently read: an attribute that is absent, empty or of another form is none.

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::read_elements::is_read;

/// An element. That it is parsed at all is checked where assertions are.
pub(super) fn get(object: &InMemDicomObject, tag: Tag) -> Option<&InMemElement> {
    debug_assert!(is_read(tag), "{tag} is not parsed");
    object.get(tag)
}

/// The text of an attribute without the padding around it.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = get(object, tag)?;
    let value = match of_unknown(element) {
        Some(text) => text,
        None => element.to_str().ok()?.into_owned(),
    };
    let value = value.trim_matches([' ', '\0']).to_owned();
    (!value.is_empty()).then_some(value)
}

pub(super) fn integer(object: &InMemDicomObject, tag: Tag) -> Option<i64> {
    get(object, tag)?.to_int().ok()
}

/// A finite number.
pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    let element = get(object, tag)?;
    if element.vr() == VR::UN {
        return numbers(object, tag)?.first().copied();
    }
    element.to_float64().ok().filter(|value| value.is_finite())
}

/// All the finite numbers of an attribute.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Option<Vec<f64>> {
    let element = get(object, tag)?;
    let values: Vec<f64> = match of_unknown(element) {
        Some(text) => {
            text.split('\\').map(|number| number.trim_matches([' ', '\0']).parse().ok()).collect::<Option<_>>()?
        }
        None => element.to_multi_float64().ok()?,
    };
    values.iter().all(|value| value.is_finite()).then_some(values)
}

/// Exactly `N` finite numbers.
pub(super) fn vector<const N: usize>(object: &InMemDicomObject, tag: Tag) -> Option<[f64; N]> {
    numbers(object, tag)?.try_into().ok()
}

/// The items of a sequence, none when it is absent.
pub(super) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    get(object, tag).and_then(|element| element.items()).unwrap_or_default()
}

/// The first item of a sequence.
pub(super) fn item(object: &InMemDicomObject, tag: Tag) -> Option<&InMemDicomObject> {
    items(object, tag).first()
}

/// The bytes of an element of unknown representation as text: some programs write decimal strings so.
fn of_unknown(element: &InMemElement) -> Option<String> {
    let bytes = (element.vr() == VR::UN).then(|| element.to_bytes().ok()).flatten()?;
    std::str::from_utf8(&bytes).ok().map(str::to_owned)
}

/// The value of an attribute that has several texts, without the padding around each.
pub(super) fn texts(object: &InMemDicomObject, tag: Tag) -> Vec<String> {
    let whole = text(object, tag).unwrap_or_default();
    whole.split('\\').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// An element of a private block, which the vendor's name stands for, whatever block the file gives to it (PS3.5 7.8).
pub(super) fn private<'a>(
    object: &'a InMemDicomObject,
    group: u16,
    creator: &str,
    element: u16,
) -> Option<&'a InMemElement> {
    /// Elements that name the vendors of blocks have lower numbers than those in the blocks.
    const FIRST_IN_BLOCKS: u16 = 0x100;
    debug_assert!(is_read(Tag(group, 0x1000 | element)), "({group:04x},xx{element:02x}) is not parsed");
    let is_of_vendor = |creator_element: &&InMemElement| {
        creator_element.to_str().is_ok_and(|name| name.trim_matches([' ', '\0']) == creator)
    };
    let mut creators = object
        .iter()
        .skip_while(|element| element.header().tag.group() < group)
        .take_while(|element| element.header().tag < Tag(group, FIRST_IN_BLOCKS));
    let block = creators.find(is_of_vendor)?.header().tag.element();
    object.get(Tag(group, block << 8 | element))
}

/// The finite numbers of a private element. Its representation may be unknown, as it is in implicit data sets: then its
/// bytes are texts or, failing that, numbers that `of_bytes` reads.
pub(super) fn private_numbers(element: &InMemElement, of_bytes: fn(&[u8]) -> Vec<f64>) -> Option<Vec<f64>> {
    let numbers = if matches!(element.vr(), VR::UN | VR::OB) {
        let bytes = element.to_bytes().ok()?;
        let text = std::str::from_utf8(&bytes).ok().map(|text| text.trim_matches([' ', '\0']));
        let of_text: Option<Vec<f64>> = text.and_then(|text| text.split('\\').map(|n| n.trim().parse().ok()).collect());
        of_text.unwrap_or_else(|| of_bytes(&bytes))
    } else {
        element.to_multi_float64().ok()?
    };
    (!numbers.is_empty() && numbers.iter().all(|number| number.is_finite())).then_some(numbers)
}

/// Numbers of single precision, little endian.
pub(super) fn singles(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
}

/// Numbers of double precision, little endian.
pub(super) fn doubles(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// Seconds since midnight of a DICOM time, `HHMMSS.FFFFFF` with parts left out at the end.
pub(super) fn seconds_of_time(text: &str) -> Option<f64> {
    let digits = text.trim().replace(':', "");
    let pair = |at: usize| -> Option<f64> {
        digits.get(at..at + 2).map_or(Some(0.0), |part| part.parse::<u32>().ok().map(f64::from))
    };
    let fraction = digits.get(6..).filter(|rest| !rest.is_empty()).map_or(Some(0.0), |rest| {
        let is_fraction = rest.starts_with('.') && rest[1..].bytes().all(|byte| byte.is_ascii_digit());
        is_fraction.then(|| format!("0{rest}").parse().ok()).flatten()
    });
    digits.get(..2)?;
    Some(3600.0 * pair(0)? + 60.0 * pair(2)? + pair(4)? + fraction?)
}

/// Seconds since 1 January 1970 of a DICOM date and time, `YYYYMMDDHHMMSS.FFFFFF`; an offset from UTC is left aside.
pub(super) fn seconds_of_date_time(text: &str) -> Option<f64> {
    let text = text.trim();
    let date = text.get(..8)?;
    let time = text.get(8..).unwrap_or("").split(['+', '-']).next().unwrap_or("");
    let seconds = if time.is_empty() { 0.0 } else { seconds_of_time(time)? };
    Some(seconds_of_date(date)? + seconds)
}

/// Seconds since 1 January 1970 of a DICOM date, `YYYYMMDD`.
pub(super) fn seconds_of_date(text: &str) -> Option<f64> {
    let digits = text.trim().replace('.', "");
    let part = |at: std::ops::Range<usize>| digits.get(at)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of the proleptic Gregorian calendar, counted in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 1;
    const DAYS_TO_1970: i64 = 719_468;
    Some((days - DAYS_TO_1970) as f64 * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates() {
        assert_eq!(seconds_of_time("010203.5"), Some(3723.5));
        assert_eq!(seconds_of_time("0102"), Some(3720.0));
        assert_eq!(seconds_of_time("01:02:03"), Some(3723.0));
        assert_eq!(seconds_of_time("x"), None);
        assert_eq!(seconds_of_time("010203x"), None);
        assert_eq!(seconds_of_date("19700101"), Some(0.0));
        assert_eq!(seconds_of_date("20240301"), Some(19_783.0 * 86_400.0));
        assert_eq!(seconds_of_date_time("19700102000001.25+0100"), Some(86_401.25));
        assert_eq!(seconds_of_date("20241301"), None);
    }
}

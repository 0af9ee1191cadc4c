//! Reading back what was saved: a value from a file satisfies what a computed one does.

/// What a value from a file contradicts, in one sentence.
pub(crate) type Checked = Result<(), String>;

/// Reads a type through its method `check`, which says what contradicts itself. The fields are those of the type.
macro_rules! checked_on_reading {
    ($type:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty),+ $(,)? }) => {
        const _: () = {
            #[derive(serde::Deserialize)]
            struct Saved {
                $($(#[$attribute])* $field: $kind,)+
            }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                    let Saved { $($field),+ } = serde::Deserialize::deserialize(deserializer)?;
                    let value = Self { $($field),+ };
                    value.check().map_err(serde::de::Error::custom)?;
                    Ok(value)
                }
            }
        };
    };
}

pub(crate) use checked_on_reading;

/// Whether two numbers agree up to the digits that a text form may lose; NaN agrees with NaN.
pub(crate) fn near(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Refuses a share, probability or p-value outside 0 to 1; NaN stands for an undefined one.
pub(crate) fn require_share(name: &str, value: f64) -> Checked {
    if value.is_nan() || (-1e-9..=1.0 + 1e-9).contains(&value) {
        Ok(())
    } else {
        Err(format!("{name} is {value}; it must be at least 0 and at most 1"))
    }
}

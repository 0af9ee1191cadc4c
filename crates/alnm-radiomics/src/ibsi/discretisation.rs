//! Intensities to grey levels.

use serde::{Deserialize, Serialize};

use crate::error::{RadiomicsError, Result};

/// More levels than this are refused: they come from a unit error, and co-occurrence matrices would not fit into
/// memory.
pub(crate) const MAXIMUM_LEVELS: u32 = 16_384;

/// The way in which intensities are assigned to bins.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum IbsiDiscretisation {
    /// Intensities are whole numbers from 1 on and serve as levels.
    #[default]
    None,
    /// Fixed bin size: X_d = ⌊(X - X_min) / w⌋ + 1 (code Q3RU), X_min being the lower limit of resegmentation or,
    /// without one, the smallest intensity of the region.
    FixedBinSize(f64),
    /// Fixed bin number: X_d = ⌊N (X - X_min) / (X_max - X_min)⌋ + 1, N for X_max (code K15C). A flat region is at
    /// level 1.
    FixedBinNumber(u32),
}

/// Grey levels of a region's voxels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// Level of each voxel, from 1, in the order of the intensities.
    pub(crate) levels: Vec<u32>,
    /// N_g: the highest level that occurs, or the number of bins of [`IbsiDiscretisation::FixedBinNumber`].
    pub(crate) count: u32,
}

impl Levels {
    /// The bins from the lowest to the highest level that occurs.
    pub(crate) fn bins(&self) -> usize {
        let (lowest, highest) =
            self.levels.iter().fold((u32::MAX, 0), |(low, high), &level| (low.min(level), high.max(level)));
        (highest + 1).saturating_sub(lowest) as usize
    }

    /// The levels that occur, ascending.
    pub(crate) fn occurring(&self) -> Vec<u32> {
        let mut occurs = vec![false; self.count as usize + 1];
        for &level in &self.levels {
            occurs[level as usize] = true;
        }
        (1..=self.count).filter(|&level| occurs[level as usize]).collect()
    }
}

impl IbsiDiscretisation {
    /// The levels of `intensities`; `lower` is the lower limit of resegmentation.
    ///
    /// # Errors
    /// [`RadiomicsError::NotALevel`], [`RadiomicsError::TooManyLevels`].
    pub(crate) fn levels(self, intensities: &[f64], lower: Option<f64>) -> Result<Levels> {
        let minimum = intensities.iter().copied().fold(f64::INFINITY, f64::min);
        let maximum = intensities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self {
            Self::None => {
                let level = |&value: &f64| {
                    let valid = value >= 1.0 && value <= f64::from(MAXIMUM_LEVELS) && value.fract() == 0.0;
                    if valid {
                        Ok(value as u32)
                    } else {
                        Err(RadiomicsError::NotALevel { value, maximum: MAXIMUM_LEVELS })
                    }
                };
                let levels: Vec<u32> = intensities.iter().map(level).collect::<Result<_>>()?;
                let count = levels.iter().copied().max().unwrap_or(0);
                Ok(Levels { levels, count })
            }
            Self::FixedBinSize(width) => {
                let origin = lower.filter(|lower| lower.is_finite()).unwrap_or(minimum);
                let bin = |value: f64| ((value - origin) / width).floor() + 1.0;
                let needed = bin(maximum);
                if needed > f64::from(MAXIMUM_LEVELS) {
                    return Err(RadiomicsError::TooManyLevels {
                        minimum: origin,
                        maximum,
                        levels: needed,
                        limit: MAXIMUM_LEVELS,
                    });
                }
                let levels: Vec<u32> = intensities.iter().map(|&value| bin(value).max(1.0) as u32).collect();
                let count = levels.iter().copied().max().unwrap_or(0);
                Ok(Levels { levels, count })
            }
            Self::FixedBinNumber(count) => {
                let spread = maximum - minimum;
                let bin = |&value: &f64| match spread {
                    0.0 => 1,
                    _ => ((f64::from(count) * (value - minimum) / spread).floor() as u32 + 1).min(count),
                };
                Ok(Levels { levels: intensities.iter().map(bin).collect(), count })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_the_formulas() {
        let number = IbsiDiscretisation::FixedBinNumber(4).levels(&[0.0, 2.4, 2.5, 9.9, 10.0], None).unwrap();
        assert_eq!(number, Levels { levels: vec![1, 1, 2, 4, 4], count: 4 });
        let lower = IbsiDiscretisation::FixedBinSize(25.0).levels(&[-490.0, -475.0, 30.0], Some(-500.0)).unwrap();
        assert_eq!(lower.levels, [1, 2, 22]);
        let size = IbsiDiscretisation::FixedBinSize(10.0).levels(&[3.0, 12.9, 13.0], None).unwrap();
        assert_eq!(size, Levels { levels: vec![1, 1, 2], count: 2 });
    }

    #[test]
    fn a_flat_region_has_one_level() {
        assert_eq!(IbsiDiscretisation::FixedBinNumber(32).levels(&[7.0; 3], None).unwrap().levels, [1, 1, 1]);
        assert_eq!(IbsiDiscretisation::FixedBinSize(25.0).levels(&[7.0; 3], None).unwrap().levels, [1, 1, 1]);
    }

    #[test]
    fn what_cannot_be_a_level_is_refused() {
        assert!(matches!(IbsiDiscretisation::None.levels(&[1.5], None), Err(RadiomicsError::NotALevel { .. })));
        assert!(matches!(IbsiDiscretisation::None.levels(&[0.0], None), Err(RadiomicsError::NotALevel { .. })));
        assert!(matches!(
            IbsiDiscretisation::FixedBinSize(1e-6).levels(&[0.0, 1.0], None),
            Err(RadiomicsError::TooManyLevels { .. })
        ));
    }
}

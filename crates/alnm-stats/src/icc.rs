//! Intraclass correlation: agreement of raters, one feature or thousands at once.
//!
//! The six forms of Shrout and Fleiss (1979) for n subjects each rated by the same k raters, from the mean squares of
//! the two-way table: between subjects (MSB), between raters (MSJ), residual (MSE) and within subjects (MSW).

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::Interval;
use crate::cells;
use crate::data_table::{Cell, Tabulate};
use crate::distribution::{f_quantile, f_upper_tail};
use crate::error::{Result, StatsError, require_count, require_level, require_same_length};

/// One of the six intraclass correlations of Shrout and Fleiss (1979).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum IccForm {
    /// ICC(1,1): one-way random effects, single rating, (MSB − MSW)/(MSB + (k − 1) MSW).
    Icc1,
    /// ICC(2,1): two-way random effects, absolute agreement, single rating,
    /// (MSB − MSE)/(MSB + (k − 1) MSE + k (MSJ − MSE)/n).
    Icc2,
    /// ICC(3,1): two-way mixed effects, consistency, single rating, (MSB − MSE)/(MSB + (k − 1) MSE).
    Icc3,
    /// ICC(1,k): one-way random effects, mean of k ratings, (MSB − MSW)/MSB.
    Icc1k,
    /// ICC(2,k): two-way random effects, absolute agreement, mean of k ratings, (MSB − MSE)/(MSB + (MSJ − MSE)/n).
    Icc2k,
    /// ICC(3,k): two-way mixed effects, consistency, mean of k ratings, (MSB − MSE)/MSB.
    Icc3k,
}

impl IccForm {
    /// The six forms.
    pub const ALL: [Self; 6] = [Self::Icc1, Self::Icc2, Self::Icc3, Self::Icc1k, Self::Icc2k, Self::Icc3k];

    /// Name in the notation of Shrout and Fleiss.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Icc1 => "ICC(1,1)",
            Self::Icc2 => "ICC(2,1)",
            Self::Icc3 => "ICC(3,1)",
            Self::Icc1k => "ICC(1,k)",
            Self::Icc2k => "ICC(2,k)",
            Self::Icc3k => "ICC(3,k)",
        }
    }
}

/// How variance components are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum IccEstimation {
    /// Mean squares of the analysis of variance; components may come out negative (`psych::ICC(lmer = FALSE)`).
    #[default]
    Anova,
    /// Restricted maximum likelihood with components held at 0 or above (`psych::ICC` by default).
    Reml,
}

/// One intraclass correlation with its F test and interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Icc {
    /// The estimate; negative values are reported as they are.
    pub estimate: f64,
    /// F statistic of "no agreement".
    pub f: f64,
    /// Numerator degrees of freedom.
    pub df1: f64,
    /// Denominator degrees of freedom.
    pub df2: f64,
    /// p-value of the F test.
    pub p_value: f64,
    /// Confidence interval.
    pub interval: Interval,
}

/// All six intraclass correlations of one table of ratings.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct IccAnalysis {
    /// Number of subjects n.
    pub subjects: usize,
    /// Number of raters k.
    pub raters: usize,
    /// Mean square between subjects.
    pub ms_between: f64,
    /// Mean square between raters.
    pub ms_raters: f64,
    /// Residual mean square.
    pub ms_residual: f64,
    /// Mean square within subjects.
    pub ms_within: f64,
    /// Single and average, absolute and consistency forms, in the order of [`IccForm`].
    forms: [Icc; 6],
}

impl IccAnalysis {
    /// Analysis of `ratings`, subjects in rows and raters in columns.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] below two subjects or raters, [`StatsError::NonFinite`] for a missing rating (leave
    /// incomplete subjects out first), [`StatsError::Parameter`] for the level.
    ///
    /// ```
    /// use alnm_stats::icc::{IccAnalysis, IccEstimation, IccForm};
    /// use ndarray::array;
    /// // Shrout and Fleiss (1979), table 2.
    /// let ratings = array![[9., 2., 5., 8.], [6., 1., 3., 2.], [8., 4., 6., 8.], [7., 1., 2., 6.], [10., 5., 6., 9.], [6., 2., 4., 7.]];
    /// let icc = IccAnalysis::of(ratings.view(), IccEstimation::Anova, 0.95)?;
    /// assert!((icc.form(IccForm::Icc2).estimate - 0.29).abs() < 5e-3);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn of(ratings: ArrayView2<'_, f64>, estimation: IccEstimation, level: f64) -> Result<Self> {
        const OPERATION: &str = "intraclass correlation";
        require_level(level)?;
        require_count(OPERATION, "subjects", 2, ratings.nrows())?;
        require_count(OPERATION, "raters", 2, ratings.ncols())?;
        if let Some((index, &value)) = ratings.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(StatsError::NonFinite { operation: OPERATION, index, value });
        }
        let squares = MeanSquares::of(ratings.nrows(), ratings.ncols(), |i, j| ratings[[i, j]]);
        let limits = Limits::new(ratings.nrows(), ratings.ncols(), level);
        Ok(Self::from_mean_squares(squares, estimation, &limits))
    }

    /// The given form.
    #[must_use]
    pub fn form(&self, form: IccForm) -> &Icc {
        &self.forms[form as usize]
    }

    fn from_mean_squares(anova: MeanSquares, estimation: IccEstimation, limits: &Limits) -> Self {
        let ms = match estimation {
            IccEstimation::Anova => anova,
            IccEstimation::Reml => anova.restricted(),
        };
        let (n, k) = (ms.n, ms.k);
        let (b, j, e, w) = (ms.between, ms.raters, ms.residual, ms.within);
        let Limits { level, upper_p, .. } = *limits;
        let (df_b, df_w, df_e) = (n - 1.0, n * (k - 1.0), (n - 1.0) * (k - 1.0));

        let f1 = b / w;
        let (low1, high1) = (f1 / limits.between_within, f1 * limits.within_between);
        let f3 = b / e;
        let (low3, high3) = (f3 / limits.between_residual, f3 * limits.residual_between);

        let icc2 = (b - e) / (b + (k - 1.0) * e + k * (j - e) / n);
        // Satterthwaite degrees of freedom of the absolute-agreement interval (Shrout and Fleiss 1979, McGraw and Wong
        // 1996).
        let fj = j / e;
        let vn = df_e * (k * icc2 * fj + n * (1.0 + (k - 1.0) * icc2) - k * icc2).powi(2);
        let vd = df_b * (k * icc2 * fj).powi(2) + (n * (1.0 + (k - 1.0) * icc2) - k * icc2).powi(2);
        let v = vn / vd;
        let (f_low, f_high) = (f_quantile(upper_p, df_b, v), f_quantile(upper_p, v, df_b));
        let low2 = n * (b - f_low * e) / (f_low * (k * j + (k * n - k - n) * e) + n * b);
        let high2 = n * (f_high * b - e) / (k * j + (k * n - k - n) * e + n * f_high * b);

        let single = |low: f64, high: f64| ((low - 1.0) / (low + k - 1.0), (high - 1.0) / (high + k - 1.0));
        let average = |low: f64, high: f64| (1.0 - 1.0 / low, 1.0 - 1.0 / high);
        let stepped_up = |r: f64| r * k / (1.0 + r * (k - 1.0));
        let build = |estimate: f64, f: f64, df2: f64, (lower, upper): (f64, f64)| Icc {
            estimate,
            f,
            df1: df_b,
            df2,
            p_value: f_upper_tail(f, df_b, df2),
            interval: Interval { lower, upper, level },
        };
        let forms = [
            build((b - w) / (b + (k - 1.0) * w), f1, df_w, single(low1, high1)),
            build(icc2, f3, df_e, (low2, high2)),
            build((b - e) / (b + (k - 1.0) * e), f3, df_e, single(low3, high3)),
            build((b - w) / b, f1, df_w, average(low1, high1)),
            build((b - e) / (b + (j - e) / n), f3, df_e, (stepped_up(low2), stepped_up(high2))),
            build((b - e) / b, f3, df_e, average(low3, high3)),
        ];
        Self {
            subjects: n as usize,
            raters: k as usize,
            ms_between: b,
            ms_raters: j,
            ms_residual: e,
            ms_within: w,
            forms,
        }
    }
}

/// Analyses of many features: `readers[r]` holds the features (columns) of all subjects (rows) as reader `r` measured
/// them. The result has one analysis per feature, in the order of the columns.
///
/// # Errors
/// As [`IccAnalysis::of`], and [`StatsError::LengthMismatch`] when the readers' tables differ in size.
///
/// ```
/// use alnm_stats::icc::{IccEstimation, IccForm, icc_of_features};
/// use ndarray::array;
/// let first = array![[1.0, 10.0], [2.0, 30.0], [3.0, 20.0]];
/// let second = array![[1.1, 12.0], [2.0, 29.0], [2.9, 21.0]];
/// let analyses = icc_of_features(&[first.view(), second.view()], IccEstimation::Anova, 0.95)?;
/// assert!(analyses.iter().all(|analysis| analysis.form(IccForm::Icc2).estimate > 0.9));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn icc_of_features(
    readers: &[ArrayView2<'_, f64>],
    estimation: IccEstimation,
    level: f64,
) -> Result<Vec<IccAnalysis>> {
    const OPERATION: &str = "intraclass correlation of features";
    require_level(level)?;
    require_count(OPERATION, "readers", 2, readers.len())?;
    let (subjects, features) = readers[0].dim();
    require_count(OPERATION, "subjects", 2, subjects)?;
    for r in readers {
        require_same_length(OPERATION, subjects, r.nrows())?;
        require_same_length(OPERATION, features, r.ncols())?;
        if let Some((index, &value)) = r.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(StatsError::NonFinite { operation: OPERATION, index, value });
        }
    }
    let limits = Limits::new(subjects, readers.len(), level);
    Ok((0..features)
        .into_par_iter()
        .with_min_len(32)
        .map(|f| {
            let squares = MeanSquares::of(subjects, readers.len(), |i, j| readers[j][[i, f]]);
            IccAnalysis::from_mean_squares(squares, estimation, &limits)
        })
        .collect())
}

/// F quantiles that depend on the size of the table alone, computed once for all features.
struct Limits {
    level: f64,
    upper_p: f64,
    between_within: f64,
    within_between: f64,
    between_residual: f64,
    residual_between: f64,
}

impl Limits {
    fn new(subjects: usize, raters: usize, level: f64) -> Self {
        let (n, k) = (subjects as f64, raters as f64);
        let (between, within, residual) = (n - 1.0, n * (k - 1.0), (n - 1.0) * (k - 1.0));
        let upper_p = 0.5 + level / 2.0;
        Self {
            level,
            upper_p,
            between_within: f_quantile(upper_p, between, within),
            within_between: f_quantile(upper_p, within, between),
            between_residual: f_quantile(upper_p, between, residual),
            residual_between: f_quantile(upper_p, residual, between),
        }
    }
}

/// Mean squares of the two-way table of n subjects and k raters.
#[derive(Clone, Copy)]
struct MeanSquares {
    n: f64,
    k: f64,
    between: f64,
    raters: f64,
    residual: f64,
    within: f64,
}

impl MeanSquares {
    fn of(subjects: usize, raters: usize, rating: impl Fn(usize, usize) -> f64) -> Self {
        let (n, k) = (subjects as f64, raters as f64);
        // Ratings are centred on the first one, so that a large offset does not cost digits.
        let origin = rating(0, 0);
        let mut rater_means = vec![0.0; raters];
        let mut subject_means = vec![0.0; subjects];
        for i in 0..subjects {
            for j in 0..raters {
                let value = rating(i, j) - origin;
                rater_means[j] += value / n;
                subject_means[i] += value / k;
            }
        }
        let grand = rater_means.iter().sum::<f64>() / k;
        let sum_subjects: f64 = k * subject_means.iter().map(|m| (m - grand).powi(2)).sum::<f64>();
        let sum_raters: f64 = n * rater_means.iter().map(|m| (m - grand).powi(2)).sum::<f64>();
        let mut sum_residual = 0.0;
        for i in 0..subjects {
            for j in 0..raters {
                sum_residual += (rating(i, j) - origin - subject_means[i] - rater_means[j] + grand).powi(2);
            }
        }
        Self {
            n,
            k,
            between: sum_subjects / (n - 1.0),
            raters: sum_raters / (k - 1.0),
            residual: sum_residual / ((n - 1.0) * (k - 1.0)),
            within: (sum_raters + sum_residual) / (n * (k - 1.0)),
        }
    }

    /// Mean squares implied by the REML variance components. In a balanced table REML equals the analysis of variance
    /// as long as no component is negative; a negative one is 0 and its mean square is pooled with the residual.
    fn restricted(self) -> Self {
        let (df_b, df_j, df_e) = (self.n - 1.0, self.k - 1.0, (self.n - 1.0) * (self.k - 1.0));
        let sums = (self.between * df_b, self.raters * df_j, self.residual * df_e);
        // The first pooling that leaves no component negative is the maximum of the restricted likelihood.
        let poolings = [
            (self.residual, false, false),
            ((sums.0 + sums.2) / (df_b + df_e), true, false),
            ((sums.1 + sums.2) / (df_j + df_e), false, true),
            ((sums.0 + sums.1 + sums.2) / (df_b + df_j + df_e), true, true),
        ];
        let admissible = |&&(residual, subjects, raters): &&(f64, bool, bool)| {
            (subjects || self.between >= residual) && (raters || self.raters >= residual)
        };
        let residual = poolings.iter().find(admissible).map_or(poolings[3].0, |p| p.0);
        let subjects = ((self.between - residual) / self.k).max(0.0);
        let raters = ((self.raters - residual) / self.n).max(0.0);
        Self {
            n: self.n,
            k: self.k,
            between: self.k * subjects + residual,
            raters: self.n * raters + residual,
            residual,
            within: residual + raters,
        }
    }
}

/// Cronbach's α of k items (columns) over n subjects (rows), the consistency of their mean; equal to ICC(3,k).
///
/// # Errors
/// As [`IccAnalysis::of`].
///
/// ```
/// let ratings = ndarray::array![[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]];
/// assert!((alnm_stats::icc::cronbach_alpha(&ratings)? - 1.0).abs() < 1e-12);
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
pub fn cronbach_alpha(ratings: &Array2<f64>) -> Result<f64> {
    Ok(IccAnalysis::of(ratings.view(), IccEstimation::Anova, 0.95)?.form(IccForm::Icc3k).estimate)
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    IccAnalysis {
        subjects: usize,
        raters: usize,
        ms_between: f64,
        ms_raters: f64,
        ms_residual: f64,
        ms_within: f64,
        forms: [Icc; 6],
    }
}

#[cfg(feature = "serde")]
impl IccAnalysis {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        for (name, number) in [("subjects", self.subjects), ("raters", self.raters)] {
            if number < 2 {
                return Err(format!("number of {name} is {number}; it must be at least 2"));
            }
        }
        let squares = [self.ms_between, self.ms_raters, self.ms_residual, self.ms_within];
        match squares.iter().find(|square| **square < 0.0) {
            Some(square) => Err(format!("a mean square is {square}; it must be at least 0")),
            None => Ok(()),
        }
    }
}

impl Tabulate for IccAnalysis {
    const COLUMNS: &'static [&'static str] = &["form", "ICC", "F", "df1", "df2", "p", "lower", "upper"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        IccForm::ALL
            .iter()
            .map(|form| {
                let icc = self.form(*form);
                cells![
                    form.name(),
                    icc.estimate,
                    icc.f,
                    icc.df1,
                    icc.df2,
                    icc.p_value,
                    icc.interval.lower,
                    icc.interval.upper
                ]
            })
            .collect()
    }
}

//! The distribution of the censoring, and the weights that it gives.

use super::FollowUp;

/// Kaplan-Meier curve Ĝ of the time to censoring.
pub(super) struct Censoring {
    /// Distinct times in ascending order.
    times: Vec<f64>,
    /// Ĝ just after each time.
    after: Vec<f64>,
    /// Patients at risk of being censored at each time, over all patients.
    share_at_risk: Vec<f64>,
    /// Patients censored at each time.
    censored: Vec<f64>,
    /// Place of each patient's time among `times`.
    place: Vec<usize>,
    /// Whether each patient was censored.
    is_censored: Vec<bool>,
}

impl Censoring {
    pub(super) fn of(follow_up: &FollowUp) -> Self {
        let n = follow_up.len() as f64;
        let points = follow_up.time_points();
        let mut place = vec![0; follow_up.len()];
        let mut survival = 1.0;
        let mut after = Vec::with_capacity(points.len());
        for (k, point) in points.iter().enumerate() {
            point.rows.iter().for_each(|&row| place[row] = k);
            let (censored, at_risk) = (point.censored() as f64, (point.at_risk - point.events) as f64);
            if censored > 0.0 {
                survival *= (at_risk - censored) / at_risk;
            }
            after.push(survival);
        }
        Self {
            times: points.iter().map(|p| p.time).collect(),
            after,
            share_at_risk: points.iter().map(|p| (p.at_risk - p.events) as f64 / n).collect(),
            censored: points.iter().map(|p| p.censored() as f64).collect(),
            place,
            is_censored: follow_up.events().iter().map(|event| !event).collect(),
        }
    }

    /// Ĝ(t), the share not censored up to and including `time`.
    pub(super) fn at(&self, time: f64) -> f64 {
        self.before_place(self.times.partition_point(|t| *t <= time))
    }

    /// Ĝ(T−) of a patient, the share not censored before the end of the patient's own observation.
    pub(super) fn before(&self, row: usize) -> f64 {
        self.before_place(self.place[row])
    }

    fn before_place(&self, place: usize) -> f64 {
        if place == 0 { 1.0 } else { self.after[place - 1] }
    }

    /// Weights of the patients for a prediction at `time`: 1/Ĝ(T−) of those with an event by then, 1/Ĝ(time) of those
    /// observed longer, 0 of those censored before.
    pub(super) fn weights(&self, follow_up: &FollowUp, time: f64) -> Vec<f64> {
        let at_time = self.at(time);
        (0..follow_up.len())
            .map(|row| {
                if follow_up.times()[row] > time {
                    1.0 / at_time
                } else if follow_up.events()[row] {
                    1.0 / self.before(row)
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// How each patient influences a mean Σ hᵢ/n through the estimate of Ĝ, where hᵢ has the factor 1/Ĝ(T−) for an
    /// event by `time` and 1/Ĝ(time) for a longer observation: the martingale part Σᵢ hᵢ ∫ dMᶜ(u)/π(u) / n of the
    /// influence function, u running to Tᵢ− and to `time`, with π the share at risk.
    pub(super) fn influence(&self, follow_up: &FollowUp, values: &[f64], time: f64) -> Vec<f64> {
        let n = follow_up.len() as f64;
        let end = self.times.partition_point(|t| *t <= time);
        // Places u whose censorings count for a value: those before its own time, or all up to the horizon.
        let reach = |row: usize| if follow_up.times()[row] > time { end } else { self.place[row] };
        // Sum of the values that reach beyond each place, and the compensator Σ dN/(n π²) up to each place.
        let mut beyond = vec![0.0; end + 1];
        for (row, value) in values.iter().enumerate() {
            beyond[reach(row).min(end)] += value;
        }
        for k in (0..end).rev() {
            beyond[k] += beyond[k + 1];
        }
        let mut compensated = vec![0.0; end + 1];
        for k in 0..end {
            let step =
                if self.censored[k] > 0.0 { self.censored[k] / (n * self.share_at_risk[k].powi(2)) } else { 0.0 };
            compensated[k + 1] = compensated[k] + step * beyond[k + 1];
        }
        (0..follow_up.len())
            .map(|row| {
                let own = self.place[row];
                let jump =
                    if self.is_censored[row] && own < end { beyond[own + 1] / self.share_at_risk[own] } else { 0.0 };
                // An event is not at risk of being censored at its own time.
                let last = own + usize::from(self.is_censored[row]);
                (jump - compensated[last.min(end)]) / n
            })
            .collect()
    }
}

//! Tables of designs beside training in one centre: every centre left out, and further outcomes.

use alnm_models::performance::PerformanceMeasure;
use alnm_stats::Interval;
use alnm_stats::calibration::{CentreCalibration, RandomEffectsMean, WaldEstimate};
use alnm_stats::cells;
use alnm_stats::data_table::Cell;
use alnm_stats::table_one::format_p;

use super::table::{Table, TableCell};
use crate::further_outcomes::OutcomeModel;
use crate::leave_one_centre_out::LeaveOneCentreOut;
use crate::study::Study;

/// All of them that the study has.
pub(super) fn all(study: &Study) -> Vec<Table> {
    let mut tables = Vec::new();
    if let Some(left_out) = &study.leave_one_centre_out {
        tables.extend([left_out_areas(left_out), left_out_calibration(left_out)]);
    }
    if !study.further_outcomes.is_empty() {
        tables.extend([performances(&study.further_outcomes), coefficients(&study.further_outcomes)]);
    }
    tables
}

fn area_in(centre: &CentreCalibration) -> TableCell {
    centre.auc.map_or(TableCell::Undefined("undefined"), |area| TableCell::estimate(area.auc, area.interval))
}

/// An estimate on the scale of log odds as a share.
fn from_logit(pooled: &RandomEffectsMean) -> TableCell {
    let share = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    let Interval { lower, upper, level } = pooled.interval;
    TableCell::estimate(share(pooled.estimate), Interval { lower: share(lower), upper: share(upper), level })
}

fn left_out_areas(left_out: &LeaveOneCentreOut) -> Table {
    let names: Vec<String> = left_out.centres.iter().map(|one| format!("AUC in {}", one.centre)).collect();
    let header: Vec<&str> =
        ["model"].into_iter().chain(names.iter().map(String::as_str)).chain(["mean over centres"]).collect();
    let rows = left_out.models.iter().map(|model| {
        let of_centre = |name: &String| {
            let found = model.performance.centres.iter().find(|centre| centre.centre == *name);
            found.map_or(TableCell::Plain(Cell::Empty), area_in)
        };
        let mean = model.performance.logit_auc.as_ref().map_or(TableCell::Undefined("undefined"), from_logit);
        let areas = left_out.centres.iter().map(|one| of_centre(&one.centre));
        [TableCell::from(model.model.clone())].into_iter().chain(areas).chain([mean]).collect::<Vec<_>>()
    });
    let learned = left_out
        .centres
        .iter()
        .map(|one| format!("{} by {} patients ({} with metastasis)", one.centre, one.patients, one.metastasis));
    let title = format!(
        "Every centre judged by selections, scores, models and networks learned in all others: {}",
        learned.collect::<Vec<_>>().join(", ")
    );
    Table::new("leave_one_centre_out", &title, &header, rows.collect())
}

fn left_out_calibration(left_out: &LeaveOneCentreOut) -> Table {
    let nothing = || TableCell::Plain(Cell::Empty);
    let estimate = |wald: Option<&WaldEstimate>| {
        wald.map_or_else(nothing, |wald| TableCell::estimate(wald.estimate, wald.interval))
    };
    let pooled = |pooled: &Option<RandomEffectsMean>| {
        pooled.as_ref().map_or_else(nothing, |pooled| TableCell::estimate(pooled.estimate, pooled.interval))
    };
    let rows = left_out.models.iter().flat_map(|model| {
        let of_centre = |centre: &CentreCalibration| {
            let recalibration = centre.recalibration.as_ref();
            vec![
                TableCell::from(model.model.clone()),
                TableCell::from(centre.centre.clone()),
                TableCell::from(centre.patients),
                TableCell::from(centre.events),
                estimate(recalibration.map(|found| &found.in_the_large)),
                estimate(recalibration.map(|found| &found.slope)),
            ]
        };
        let performance = &model.performance;
        let mean = vec![
            TableCell::from(model.model.clone()),
            TableCell::from("mean over centres".to_owned()),
            nothing(),
            nothing(),
            pooled(&performance.in_the_large),
            pooled(&performance.slope),
        ];
        performance.centres.iter().map(of_centre).chain([mean]).collect::<Vec<_>>()
    });
    let header = ["model", "centre left out", "patients", "with metastasis", "calibration in the large", "slope"];
    let title = "Calibration in every centre by what was learned in all others";
    Table::new("leave_one_centre_out_calibration", title, &header, rows.collect())
}

fn performances(models: &[OutcomeModel]) -> Table {
    let rows = models.iter().flat_map(|model| {
        let of_cohort = |one: &crate::further_outcomes::CohortPerformance| {
            let row = |measure: &PerformanceMeasure| {
                let interval = measure.interval.filter(|interval| interval.lower.is_finite());
                cells![
                    model.outcome.clone(),
                    model.model.clone(),
                    one.cohort.clone(),
                    one.performance.patients,
                    one.performance.events,
                    measure.name.clone(),
                    format!("{:.3}", measure.estimate),
                    interval.map(|interval| format!("{:.3}", interval.lower)),
                    interval.map(|interval| format!("{:.3}", interval.upper)),
                    measure.perfect,
                ]
            };
            one.performance.measures.iter().map(row).collect::<Vec<_>>()
        };
        let remark = |text: &String| {
            let empty = || Cell::Empty;
            let mut cells = cells![model.outcome.clone(), model.model.clone(), "remark".to_owned()];
            cells.extend([empty(), empty(), Cell::Text(text.clone()), empty(), empty(), empty(), empty()]);
            cells
        };
        model.performances.iter().flat_map(of_cohort).chain(model.remarks.iter().map(remark)).collect::<Vec<_>>()
    });
    let header =
        ["outcome", "model", "cohort", "patients", "events", "measure", "estimate", "lower", "upper", "perfect"];
    let title = "Further outcomes: models of the same variables, whose scores were learned for metastasis";
    Table::new("further_outcomes", title, &header, rows.collect())
}

fn coefficients(models: &[OutcomeModel]) -> Table {
    let rows = models.iter().flat_map(|model| {
        let row = |one: &crate::further_outcomes::OutcomeCoefficient| {
            cells![
                model.outcome.clone(),
                model.model.clone(),
                model.patients,
                one.variable.clone(),
                format!("{:.3} ({:.3}, {:.3})", one.estimate, one.lower, one.upper),
                format_p(one.p_value),
            ]
        };
        model.coefficients.iter().map(row).collect::<Vec<_>>()
    });
    let header = ["outcome", "model", "patients", "variable", "coefficient (95 % CI)", "p"];
    let title =
        "Further outcomes: coefficients (log odds of a higher stage, log rate of nodes, log hazard of a recurrence)";
    Table::new("further_outcomes_coefficients", title, &header, rows.collect())
}

//! Every case of the statistics pack that this crate owns, against R's glm and its companions, logistf, LightGBM and
//! scikit-learn.

use alnm_conformance::pack::{number as num, numbers as nums};
use alnm_conformance::statistics::{Case, StatisticsPack};
use alnm_conformance::tally::Deviation;
use alnm_models::firth::FirthModel;
use alnm_models::folds::{FoldOrder, Folds};
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_models::logistic::{INTERCEPT, LogisticModel, LogisticParams};
use alnm_models::profile_likelihood::{ProfileMethod, profile_intervals};
use alnm_models::stepwise::{StepDirection, StepwiseParams, drop_single_terms, stepwise};
use alnm_models::univariate_table::{UnivariateRequest, univariate_odds_ratios};
use alnm_models::variance_inflation::{VarianceInflation, of_coefficients, of_columns};
use alnm_models::{FeatureTable, Labels, ModelError, Variable};
use alnm_stats::confusion::ConfusionTable;
use alnm_stats::contingency::CountTable;
use alnm_stats::delong::{Marker, auc_estimate, hanley_mcneil_standard_error, paired_test};
use alnm_stats::describe::{QuantileType, median, quantile};
use alnm_stats::effect_size::MeanDifference;
use alnm_stats::fisher::{self, FisherMethod};
use alnm_stats::missing::Missing;
use alnm_stats::normality::shapiro_wilk;
use alnm_stats::proportion::{Proportion, ProportionInterval};
use alnm_stats::rank_sum::{RankMethod, mann_whitney, standardised_rank_sum};
use alnm_stats::reclassification::continuous_improvement;
use alnm_stats::roc::{CutoffCriterion, CutoffWeights, Direction, RocCurve};
use alnm_stats::t_test::{GroupVariance, Summary, two_sample, two_sample_from_summary};
use alnm_stats::variance::{Center, levene};
use alnm_stats::{Alternative, Interval};
use ndarray::{Array2, ArrayView2};
use serde_json::{Map, Value, json};

const LEVEL: f64 = 0.95;

type Evaluated = Result<Value, String>;

#[test]
fn models_pack() {
    let Some(pack) = StatisticsPack::open() else { return };
    pack.run("alnm-models", DEVIATIONS, |pack, case| match case.section.as_str() {
        "C_logistic" => logistic(pack, case),
        "C2_firth" => firth(pack, case),
        "J_lightgbm" => boosting(pack, case),
        "K_paper" => paper(pack, case),
        other => panic!("no section {other}"),
    });
}

const DEVIATIONS: &[Deviation] = &[Deviation {
    reason: "labels of one class are refused where R returns iteration-limited coefficients",
    explains: |d| {
        d.is_in("C_logistic/glm", "") && d.results.1.is_null() && d.results.0["null_deviance"].as_f64() == Some(0.0)
    },
}];

fn text(e: impl Into<ModelError>) -> String {
    e.into().to_string()
}

fn labelled(pack: &StatisticsPack, case: &Case) -> Result<(FeatureTable, Labels), String> {
    let table = pack.table(case, 0);
    let (names, values) = table.matrix(&["y"]);
    Ok((FeatureTable::new(names, values).map_err(text)?, Labels::from_values(&table.numbers("y")).map_err(text)?))
}

fn params() -> LogisticParams {
    LogisticParams::default().with_missing(Missing::Omit)
}

fn interval(i: Interval) -> Value {
    nums(&[i.lower, i.upper])
}

/// Terms by name; aliased ones are null, as R prints them.
fn by_term(model: &LogisticModel, f: impl Fn(&alnm_models::logistic::Term) -> f64, with_aliased: bool) -> Value {
    let mut m: Map<String, Value> = model.terms().iter().map(|t| (t.name.clone(), num(f(t)))).collect();
    if with_aliased {
        m.extend(model.aliased().iter().map(|a| (a.clone(), Value::Null)));
    }
    m.into()
}

fn matrix(m: ArrayView2<'_, f64>) -> Value {
    m.rows().into_iter().map(|r| nums(&r.to_vec())).collect()
}

fn logistic(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let fit = |table: &FeatureTable, params: &LogisticParams| LogisticModel::fit(table, &labels, params).map_err(text);
    let columns =
        |names: &[&str]| table.select(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).map_err(text);
    match case.kind.as_str() {
        "glm" => glm(&fit(&table, &params())?),
        "glm_tight" => {
            let m = fit(&table, &params())?;
            Ok(
                json!({"coef": by_term(&m, |t| t.estimate, false), "se": by_term(&m, |t| t.standard_error, false), "z": by_term(&m, |t| t.z, false),
                "p": by_term(&m, |t| t.p_value, false), "wald_lower": by_term(&m, |t| t.interval.lower, false),
                "wald_upper": by_term(&m, |t| t.interval.upper, false), "deviance": m.deviance(), "vcov": m.covariance().map(|c| matrix(c.view()))}),
            )
        }
        "confint_profile_exact" | "confint_profile_MASS" => {
            let method = if case.kind.ends_with("MASS") { ProfileMethod::Spline } else { ProfileMethod::Exact };
            let all = profile_intervals(&table, &labels, method, &params()).map_err(text)?;
            if fit(&table, &params())?.separated() {
                // Separated coefficients are limited by R's iterations; only the terms can be compared.
                return Ok(json!({"term": all.iter().map(|p| p.name.clone()).collect::<Vec<_>>()}));
            }
            // R lists aliased terms without an interval.
            let terms: Vec<&str> = std::iter::once(INTERCEPT).chain(table.names().iter().map(String::as_str)).collect();
            let end = |f: fn(&Interval) -> f64| {
                nums(
                    &terms
                        .iter()
                        .map(|t| all.iter().find(|p| p.name == *t).map_or(f64::NAN, |p| f(&p.interval)))
                        .collect::<Vec<_>>(),
                )
            };
            Ok(json!({"term": terms, "lower": end(|i| i.lower), "upper": end(|i| i.upper)}))
        }
        "vif" => of_coefficients(&fit(&table, &params())?).map(|v| inflation(&v)).map_err(text),
        "vif_linear" => of_columns(&table).map(|v| inflation(&v)).map_err(text),
        "drop1_lrt" => {
            let dropped = drop_single_terms(&table, &labels, &params()).map_err(text)?;
            let column = |f: &dyn Fn(&alnm_models::stepwise::DroppedTerm) -> f64| {
                nums(&dropped.iter().map(f).collect::<Vec<_>>())
            };
            Ok(
                json!({"term": dropped.iter().map(|d| d.variable.clone()).collect::<Vec<_>>(), "lrt": column(&|d| d.test.statistic),
                "p": column(&|d| d.test.p_value), "aic": column(&|d| d.aic)}),
            )
        }
        "step_aic_backward" | "step_aic_both_from_null" => {
            let backward = case.kind.ends_with("backward");
            let direction = if backward { StepDirection::Backward } else { StepDirection::BothFromNone };
            let search = StepwiseParams::default().with_direction(direction).with_regression(params());
            let chosen = stepwise(&table, &labels, &search).map_err(text)?;
            let m = chosen.model();
            let mut v = json!({"kept": m.terms().iter().map(|t| t.name.clone()).collect::<Vec<_>>(), "aic": m.aic()});
            if backward {
                v["coef"] = by_term(m, |t| t.estimate, false);
            }
            Ok(v)
        }
        "firth_brglm2" => {
            let m = FirthModel::fit(&table, &labels, &params()).map_err(text)?;
            let column = |f: &dyn Fn(&alnm_models::firth::FirthTerm) -> f64| {
                m.terms().iter().map(|t| (t.name.clone(), num(f(t)))).collect::<Map<_, _>>()
            };
            Ok(
                json!({"coef": column(&|t| t.estimate), "se": column(&|t| t.standard_error), "p_wald": column(&|t| t.wald_p)}),
            )
        }
        "lrt_nested" => {
            let test = fit(&columns(&["a", "b", "c"])?, &params())?
                .compare_nested(&fit(&columns(&["a"])?, &params())?)
                .map_err(text)?;
            Ok(json!({"stat": test.statistic, "df": test.degrees_of_freedom[0], "p": test.p_value}))
        }
        "weighted" => {
            let weights = pack.table(case, 0).numbers("w");
            let m = fit(&columns(&["a", "b"])?, &params().with_weights(weights))?;
            Ok(
                json!({"coef": by_term(&m, |t| t.estimate, false), "se": by_term(&m, |t| t.standard_error, false), "deviance": m.deviance()}),
            )
        }
        "offset_fixed" => {
            let offset = pack.table(case, 0).numbers("a");
            let m = fit(&columns(&[])?, &params().with_offset(offset))?;
            Ok(json!({"coef": by_term(&m, |t| t.estimate, false), "deviance": m.deviance()}))
        }
        "univariate_table" => {
            let want = pack.expected(case);
            let requests: Vec<UnivariateRequest> =
                table.names().iter().map(|n| UnivariateRequest::new(Variable::new(n, ""))).collect();
            let rows =
                univariate_odds_ratios(&table, &labels, &requests, ProfileMethod::Spline, &params()).map_err(text)?;
            let row = |r: &alnm_models::univariate_table::UnivariateOddsRatio| {
                json!({"variable": r.variable.name, "n": r.rows, "beta": num(r.coefficient), "se": num(r.standard_error),
                    "z": num(r.coefficient / r.standard_error), "p": num(r.wald_p), "or": num(r.odds_ratio), "or_wald": interval(r.wald),
                    "or_profile": interval(r.profile), "lrt_p": num(r.likelihood_ratio_p)})
            };
            // With a separated column the pack holds the last row only, under an empty name.
            match want {
                Value::Array(_) => Ok(rows.iter().map(row).collect()),
                _ => Ok(json!({"": rows.last().map(row)})),
            }
        }
        other => Err(format!("no kind {other}")),
    }
}

fn glm(m: &LogisticModel) -> Evaluated {
    if m.separated() {
        return Ok(json!({"n": m.rows(), "deviance": m.deviance(), "null_deviance": m.null_deviance()}));
    }
    let lrt = m.likelihood_ratio_test();
    let e = m.explained();
    Ok(
        json!({"n": m.rows(), "converged": m.converged(), "rank": m.terms().len(), "coef": by_term(m, |t| t.estimate, true),
        "se": by_term(m, |t| t.standard_error, false), "z": by_term(m, |t| t.z, false), "p": by_term(m, |t| t.p_value, false), "deviance": m.deviance(),
        "null_deviance": m.null_deviance(), "df_residual": m.residual_degrees_of_freedom(), "df_null": m.rows() - 1, "loglik": m.log_likelihood(),
        "aic": m.aic(), "bic": m.bic(), "lrt_stat": lrt.statistic, "lrt_df": lrt.degrees_of_freedom[0], "lrt_p": lrt.p_value,
        "r2_mcfadden": e.mcfadden, "r2_coxsnell": e.cox_snell, "r2_nagelkerke": e.nagelkerke, "r2_tjur": e.tjur, "brier": e.brier,
        "fitted_first5": nums(&m.fitted()[..5.min(m.fitted().len())])}),
    )
}

fn inflation(all: &[VarianceInflation]) -> Value {
    json!({"vif": all.iter().map(|v| (v.name.clone(), num(v.factor))).collect::<Map<_, _>>()})
}

fn firth(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let m = FirthModel::fit(&table, &labels, &params()).map_err(text)?;
    // The pack lists the intercept last.
    let mut terms = m.terms().to_vec();
    terms.rotate_left(1);
    let column = |f: &dyn Fn(&alnm_models::firth::FirthTerm) -> f64| nums(&terms.iter().map(f).collect::<Vec<_>>());
    Ok(json!({"term": terms.iter().map(|t| t.name.clone()).collect::<Vec<_>>(), "coef": column(&|t| t.estimate),
        "se_fisher": column(&|t| t.standard_error), "se_augmented": column(&|t| t.augmented_standard_error),
        "ci_lower": column(&|t| t.interval.lower), "ci_upper": column(&|t| t.interval.upper), "p_plr": column(&|t| t.p_value),
        "loglik": m.penalised_log_likelihood()}))
}

fn boosting(pack: &StatisticsPack, case: &Case) -> Evaluated {
    if let Some(rest) = case.kind.strip_prefix("stratified_") {
        let labels = Labels::from_values(&pack.table(case, 0).numbers("y")).map_err(text)?;
        let count: usize = rest.trim_end_matches("fold").parse().map_err(|_| "number of folds")?;
        let folds = Folds::stratified(&labels, count, FoldOrder::AsGiven).map_err(text)?;
        let of_class = |class: bool| -> Vec<usize> {
            let members =
                |fold| labels.select(&folds.test_rows(fold)).as_slice().iter().filter(|l| **l == class).count();
            (0..count).map(members).collect()
        };
        return Ok(
            json!({"fold": folds.assignment(), "counts_class0": of_class(false), "counts_class1": of_class(true)}),
        );
    }
    let read = |file: &str| -> Result<GradientBoosting, String> {
        GradientBoosting::from_lightgbm_text(&pack.text(file)).map_err(text)
    };
    if let Some(name) = case.kind.strip_prefix("lgb_predict_") {
        let (names, values) = pack.table(case, 0).matrix(&["y"]);
        let table = FeatureTable::new(names, values).map_err(text)?;
        let model = read(&format!("expected/J_model_{name}.txt"))?;
        return Ok(
            json!({"raw_score": nums(&model.raw_scores(&table).map_err(text)?), "prob": nums(&model.predict(&table).map_err(text)?)}),
        );
    }
    let (table, labels) = labelled(pack, case)?;
    let a = &case.args;
    let d = BoostingParams::default();
    let number = |key: &str, default: f64| a[key].as_f64().unwrap_or(default);
    let rounds = case.call.rsplit("num_boost_round=").next().and_then(|r| r.trim_end_matches(')').parse().ok());
    let mut params = BoostingParams::default()
        .with_rounds(rounds.unwrap_or(d.rounds))
        .with_num_leaves(number("num_leaves", d.num_leaves as f64) as usize)
        .with_learning_rate(number("learning_rate", d.learning_rate))
        .with_min_data_in_leaf(number("min_data_in_leaf", d.min_data_in_leaf as f64) as usize)
        .with_min_sum_hessian_in_leaf(number("min_sum_hessian_in_leaf", d.min_sum_hessian_in_leaf))
        .with_lambda_l1(number("lambda_l1", 0.0))
        .with_lambda_l2(number("lambda_l2", 0.0))
        .with_min_gain_to_split(number("min_gain_to_split", 0.0))
        .with_max_bin(number("max_bin", d.max_bin as f64) as usize)
        .with_boost_from_average(a["boost_from_average"].as_bool().unwrap_or(true))
        .with_is_unbalance(a["is_unbalance"].as_bool().unwrap_or(false));
    if let Some(depth) = a["max_depth"].as_u64() {
        params = params.with_max_depth(depth as usize);
    }
    let fitted = GradientBoosting::fit(&table, &labels, &params).map_err(text)?;
    // LightGBM's Python package returns a model read back from its text, in which gains have six digits.
    let model = GradientBoosting::from_lightgbm_text(&fitted.to_lightgbm_text().map_err(text)?).map_err(text)?;
    let importances = model.importances();
    let first = table.select_rows(&[0, 1, 2]);
    Ok(
        json!({"importance_split": importances.iter().map(|f| (f.feature.clone(), f.splits.into())).collect::<Map<_, _>>(),
        "importance_gain": importances.iter().map(|f| (f.feature.clone(), num(f.gain))).collect::<Map<_, _>>(),
        "raw_score": nums(&model.raw_scores(&table).map_err(text)?), "prob": nums(&model.predict(&table).map_err(text)?),
        "leaf_index_first3rows": model.leaf_indices(&first).map_err(text)?, "n_trees": model.trees().len()}),
    )
}

fn paper(pack: &StatisticsPack, case: &Case) -> Evaluated {
    match case.kind.as_str() {
        "published_counts" => published_counts(case),
        "published_age_ttest_from_summary" => {
            let negative = Summary { mean: 50.25, standard_deviation: 9.63, count: 112 };
            let positive = Summary { mean: 45.17, standard_deviation: 10.64, count: 100 };
            let test = |v| two_sample_from_summary(negative, positive, v, Alternative::TwoSided, LEVEL).map_err(text);
            let (welch, pooled) = (test(GroupVariance::Welch)?, test(GroupVariance::Pooled)?);
            Ok(
                json!({"welch_t": welch.statistic, "welch_df": welch.degrees_of_freedom[0], "welch_p": welch.p_value, "pooled_t": pooled.statistic,
                "pooled_p": pooled.p_value}),
            )
        }
        "published_operating_point" => {
            let t = ConfusionTable { true_positives: 90, false_negatives: 10, true_negatives: 110, false_positives: 2 };
            let clopper = |k, n| {
                Proportion::new(k, n, ProportionInterval::ClopperPearson, LEVEL)
                    .map(|p| interval(p.interval))
                    .map_err(text)
            };
            Ok(
                json!({"spec": t.specificity(), "accuracy": t.accuracy(), "f1": t.f1(), "ppv": t.positive_predictive_value(),
                "npv": t.negative_predictive_value(), "youden": t.youden(), "kappa": t.kappa(), "mcc": t.matthews(), "clopper_sens": clopper(90, 100)?,
                "clopper_spec": clopper(110, 112)?, "clopper_acc": clopper(200, 212)?}),
            )
        }
        "hanley_mcneil_halfwidth" => {
            let areas: Vec<f64> = (60..=99).map(|i| f64::from(i) / 100.0).collect();
            let z = alnm_stats::distribution::normal_quantile(0.975);
            Ok(
                json!({"half_width": nums(&areas.iter().map(|a| z * hanley_mcneil_standard_error(*a, 100, 112)).collect::<Vec<_>>())}),
            )
        }
        "metric_lattice" => {
            let rounded = |v: f64| (v * 1000.0).round() / 1000.0;
            let feasible = |sensitivity: f64, specificity: f64, accuracy: f64| {
                (0..=100usize).flat_map(|tp| (0..=112usize).map(move |tn| (tp, tn))).any(|(tp, tn)| {
                    let t = ConfusionTable {
                        true_positives: tp,
                        false_negatives: 100 - tp,
                        true_negatives: tn,
                        false_positives: 112 - tn,
                    };
                    rounded(t.sensitivity()) == sensitivity
                        && rounded(t.specificity()) == specificity
                        && rounded(t.accuracy()) == accuracy
                })
            };
            Ok(json!({"published_ok": feasible(0.9, 0.982, 0.943), "example_infeasible": feasible(0.9, 0.98, 0.943)}))
        }
        "implied_auc_from_quartiles" => Ok(implied_areas()),
        "table1" => table_one_row(pack, case),
        kind => paper_models(pack, case, kind),
    }
}

fn published_counts(case: &Case) -> Evaluated {
    let rows: Vec<Vec<u64>> = serde_json::from_value(case.args["table"].clone()).map_err(|e| e.to_string())?;
    let table =
        CountTable::new(Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])).map_err(text)?;
    let c = table.chi_squared(false);
    let g = table.likelihood_ratio();
    let exact = if rows[0].len() == 2 {
        fisher::two_by_two(&table, Alternative::TwoSided, LEVEL)
    } else {
        fisher::any_size(&table, FisherMethod::default())
    };
    let mut v = json!({"chisq": c.test.statistic, "chisq_p": c.test.p_value, "df": c.test.degrees_of_freedom[0],
        "min_expected": c.expected.iter().copied().fold(f64::INFINITY, f64::min), "g_lrt": g.statistic, "g_lrt_p": g.p_value,
        "fisher_p": exact.map_err(text)?.p_value});
    if rows[0].len() == 2 {
        let yates = table.chi_squared(true).test;
        v["yates"] = num(yates.statistic);
        v["yates_p"] = num(yates.p_value);
        let rounds_to = |value: f64, published: &str| {
            case.args[published].as_f64().is_some_and(|p| ((value * 1000.0).round() / 1000.0 - p).abs() < 5e-4)
        };
        v["matches_uncorrected"] =
            (rounds_to(c.test.statistic, "published_statistic") && rounds_to(c.test.p_value, "published_p")).into();
        v["matches_yates"] = rounds_to(yates.statistic, "published_statistic").into();
    }
    Ok(v)
}

/// P(positive > negative) for normal and shifted log-normal variables with the published quartiles.
fn implied_areas() -> Value {
    let quartiles = [
        ("MTD", [1.496, 1.974, 2.684], [2.560, 3.491, 4.477]),
        ("SAD_ALN", [0.346, 0.450, 0.589], [0.656, 1.076, 1.880]),
        ("NLR", [1.06, 1.63, 2.19], [1.58, 2.27, 3.22]),
        ("PLR", [103.61, 123.31, 154.0], [121.75, 145.82, 196.39]),
        ("MLR", [0.12, 0.17, 0.25], [0.15, 0.24, 0.32]),
        ("WLR", [2.38, 2.95, 3.43], [2.83, 3.66, 4.62]),
        ("SII", [256.5, 392.5, 559.5], [413.0, 600.5, 761.0]),
        ("RadScore", [-2.44, -1.14, -0.11], [0.16, 1.01, 2.09]),
        ("DLScore", [-1.66, -0.96, -0.17], [-0.17, 0.73, 1.35]),
    ];
    let z75 = alnm_stats::distribution::normal_quantile(0.75);
    let shifted = |z: f64, q: [f64; 3]| {
        let k = ((q[2] - q[1]) / (q[1] - q[0])).ln();
        if k.abs() < 1e-8 {
            q[1] + (q[2] - q[1]) * z / z75
        } else {
            q[1] + (q[2] - q[1]) * ((k * z / z75).exp() - 1.0) / (k.exp() - 1.0)
        }
    };
    let grid: Vec<f64> =
        (0..4000).map(|i| alnm_stats::distribution::normal_quantile((f64::from(i) + 0.5) / 4000.0)).collect();
    let area = |a: [f64; 3], b: [f64; 3]| {
        let sd = |q: [f64; 3]| (q[2] - q[0]) / (2.0 * z75);
        let normal = alnm_stats::distribution::normal_cdf((b[1] - a[1]) / (sd(a).powi(2) + sd(b).powi(2)).sqrt());
        let mut low: Vec<f64> = grid.iter().map(|z| shifted(*z, a)).collect();
        low.sort_unstable_by(f64::total_cmp);
        let wins: usize = grid.iter().map(|z| low.partition_point(|v| *v <= shifted(*z, b))).sum();
        json!({"normal": normal, "shifted_lognormal": wins as f64 / 16e6})
    };
    quartiles.into_iter().map(|(name, a, b)| (name.to_owned(), area(a, b))).collect::<Map<_, _>>().into()
}

/// The last part of the id is the variable or model.
fn subject(case: &Case) -> &str {
    case.id.rsplit('/').next().unwrap_or_default()
}

fn table_one_row(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let values = table.column(subject(case)).map_err(text)?.to_vec();
    let groups = labels.split(&values).map_err(text)?;
    let (x, y) = (&groups.negative, &groups.positive);
    let describe = |v: &[f64]| {
        let s = Summary::of(v);
        let q = |p| quantile(v, p, QuantileType::Type7).map_or(Value::Null, num);
        json!({"mean": s.mean, "sd": s.standard_deviation, "median": median(v), "q1": q(0.25), "q3": q(0.75)})
    };
    let t = |variances| -> Evaluated {
        let t = two_sample(x, y, variances, Alternative::TwoSided, LEVEL).map_err(text)?;
        Ok(
            json!({"statistic": t.statistic, "parameter": t.degrees_of_freedom[0], "p_value": t.p_value, "estimate": nums(&t.estimate),
            "conf_int": t.confidence_interval.map(interval)}),
        )
    };
    let w = mann_whitney(x, y, RankMethod::Automatic, Alternative::TwoSided).map_err(text)?;
    let (sx, sy) = (shapiro_wilk(x).map_err(text)?.p_value, shapiro_wilk(y).map_err(text)?.p_value);
    Ok(
        json!({"neg": describe(x), "pos": describe(y), "shapiro_p_neg": sx, "shapiro_p_pos": sy, "both_normal_0.05": sx > 0.05 && sy > 0.05,
        "t_welch": t(GroupVariance::Welch)?, "t_pooled": t(GroupVariance::Pooled)?, "wilcox": {"statistic": w.statistic, "p_value": w.p_value},
        "wilcox_normal_z_no_cc": standardised_rank_sum(x, y).map_err(text)?, "levene_p": levene(&[x, y], Center::Median).map_err(text)?.p_value,
        "smd": MeanDifference::of(x, y).map_err(text)?.average_variance}),
    )
}

fn paper_models(pack: &StatisticsPack, case: &Case, kind: &str) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let name = subject(case);
    let univariate = |per: f64| -> Result<alnm_models::univariate_table::UnivariateOddsRatio, String> {
        let request = UnivariateRequest::new(Variable::new(name, "")).with_per(per);
        univariate_odds_ratios(&table, &labels, &[request], ProfileMethod::Spline, &params())
            .map_err(text)?
            .pop()
            .ok_or_else(|| "no row".to_owned())
    };
    let risks = |model: &str| table.column(model).map(|c| c.to_vec()).map_err(text);
    match kind {
        "table2_univariate" => {
            let u = univariate(1.0)?;
            Ok(
                json!({"beta": u.coefficient, "se": u.standard_error, "z": u.coefficient / u.standard_error, "p": u.wald_p, "or": u.odds_ratio,
                "or_wald": interval(u.wald), "aic": u.aic, "lrt_p": u.likelihood_ratio_p}),
            )
        }
        "units_check" => {
            let sd = Summary::of(&table.column(name).map_err(text)?.to_vec()).standard_deviation;
            Ok(
                json!({"or_per_cm": univariate(1.0)?.odds_ratio, "or_per_0.1cm": univariate(0.1)?.odds_ratio, "or_per_sd": univariate(sd)?.odds_ratio}),
            )
        }
        "vif_linear" => {
            let want = pack.expected(case)["vif"].as_object().cloned().unwrap_or_default();
            let names: Vec<String> = table.names().iter().filter(|n| want.contains_key(*n)).cloned().collect();
            of_columns(&table.select(&names).map_err(text)?).map(|v| inflation(&v)).map_err(text)
        }
        "table2_multivariable" => {
            let want = pack.expected(case)["vif"].as_object().cloned().unwrap_or_default();
            let names: Vec<String> = table.names().iter().filter(|n| want.contains_key(*n)).cloned().collect();
            let columns = table.select(&names).map_err(text)?;
            let m = LogisticModel::fit(&columns, &labels, &params()).map_err(text)?;
            let search = StepwiseParams::default().with_regression(params());
            let chosen = stepwise(&columns, &labels, &search).map_err(text)?;
            let kept = chosen.model();
            Ok(
                json!({"coef": by_term(&m, |t| t.estimate, false), "se": by_term(&m, |t| t.standard_error, false), "p": by_term(&m, |t| t.p_value, false),
                "vif": inflation(&of_coefficients(&m).map_err(text)?)["vif"], "aic": m.aic(), "deviance": m.deviance(),
                "step_backward": {"kept": kept.terms().iter().map(|t| t.name.clone()).collect::<Vec<_>>(), "aic": kept.aic()}}),
            )
        }
        "table3_fit" => {
            let formula = case.call.split(" ~ ").nth(1).and_then(|r| r.split(',').next()).ok_or("no formula")?;
            let columns: Vec<String> = formula.split(" + ").map(str::to_owned).collect();
            let m = LogisticModel::fit(&table.select(&columns).map_err(text)?, &labels, &params()).map_err(text)?;
            Ok(
                json!({"coef": by_term(&m, |t| t.estimate, false), "se": by_term(&m, |t| t.standard_error, false), "p": by_term(&m, |t| t.p_value, false)}),
            )
        }
        "table3_metrics" => {
            let predictions = pack.table(case, 1);
            let labels = Labels::from_values(&predictions.numbers("y")).map_err(text)?;
            threshold_metrics(&labels, &predictions.numbers(name))
        }
        "table3_delong_vs_M10" => {
            let all = table.names().iter().find(|n| n.contains("M10")).ok_or("no reference model")?;
            let (a, b) = (risks(name)?, risks(all)?);
            let marker = |scores| Marker { scores, direction: Direction::HigherIsPositive };
            let t = paired_test(&labels, marker(&a), marker(&b), Alternative::TwoSided, LEVEL).map_err(text)?;
            Ok(json!({"z": t.statistic, "p": t.p_value}))
        }
        "nri_idi_vs_M03" => {
            let old = table.names().iter().find(|n| n.contains("M03")).ok_or("no reference model")?;
            let i = continuous_improvement(&labels, &risks(old)?, &risks(name)?).map_err(text)?;
            Ok(
                json!({"nri": i.nri.estimate, "se.nri": i.nri.standard_error, "z.nri": i.nri.z, "idi": i.idi.estimate, "se.idi": i.idi.standard_error,
                "z.idi": i.idi.z}),
            )
        }
        other => Err(format!("no kind {other}")),
    }
}

fn threshold_metrics(labels: &Labels, risks: &[f64]) -> Evaluated {
    let roc = RocCurve::new(labels, risks, Direction::HigherIsPositive).map_err(text)?;
    let best = roc.best_cutoffs(CutoffCriterion::Youden, CutoffWeights::default());
    let t = best[0].table;
    let m = t.metrics(ProportionInterval::ClopperPearson, LEVEL).map_err(text)?;
    let area = auc_estimate(&roc, LEVEL).map_err(text)?;
    Ok(json!({"auc": area.auc, "ci": interval(area.interval), "n_best_thresholds": best.len(),
        "thresholds": nums(&best.iter().map(|p| p.threshold).collect::<Vec<_>>()), "tp": t.true_positives, "fn": t.false_negatives,
        "tn": t.true_negatives, "fp": t.false_positives, "sensitivity": m.sensitivity.estimate, "specificity": m.specificity.estimate,
        "accuracy": m.accuracy.estimate, "ppv": m.positive_predictive_value.estimate, "npv": m.negative_predictive_value.estimate, "f1": m.f1,
        "ci_sens": interval(m.sensitivity.interval), "ci_spec": interval(m.specificity.interval), "ci_acc": interval(m.accuracy.interval),
        "brier": alnm_stats::calibration::brier(labels, risks).map_err(text)?.score}))
}

//! Every case of the statistics pack that this crate owns, against glmnet, caret, mRMRe's definitions, pymrmr and
//! mrmr-selection.

use alnm_conformance::pack::{number as num, numbers as nums};
use alnm_conformance::statistics::{Case, StatisticsPack};
use alnm_conformance::tally::Deviation;
use alnm_selection::correlation_filter::{CorrelationRule, find_correlation};
use alnm_selection::cross_validation::{CvMeasure, LambdaChoice, cross_validate};
use alnm_selection::discretise::Discretiser;
use alnm_selection::elastic_net::{
    ElasticNetParams, ElasticNetPath, LambdaSequence, PathPrecision, SparseCoefficients, binomial_path,
};
use alnm_selection::folds::Folds;
use alnm_selection::mrmr::{ContinuousCorrelation, Denominator, MrmrParams, MrmrRanking, MrmrVariant, Relevance, mrmr};
use alnm_selection::{FeatureTable, Labels, SelectionError};
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use serde_json::{Map, Value, json};

type Evaluated = Result<Value, String>;

#[test]
fn selection_pack() {
    let Some(pack) = StatisticsPack::open() else { return };
    pack.run("alnm-selection", DEVIATIONS, |pack, case| match case.section.as_str() {
        "G_glmnet" => glmnet(pack, case),
        "H_mrmr" => mrmr_case(pack, case),
        "I_correlation" => correlation(pack, case),
        other => panic!("no section {other}"),
    });
}

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        reason: "at the first penalty the gradient equals the penalty, and its last bit decides whether glmnet has a \
                 coefficient of 1e-17; the order of the rows changes it (scripts/first_penalty.R)",
        explains: |d| {
            (d.is_in("G_glmnet/path_tight_a1_stdT", "/df") || d.is_in("G_glmnet/path_tight_a0.5_stdT", "/df"))
                && df_at_first_penalty(d.results.0, d.results.1)
        },
    },
    Deviation {
        reason: "the quotient 0/0 of a constant feature is infinite by the pack's definition; here it is 0, and the \
                 other features follow in the same order",
        explains: |d| d.case.starts_with("H_mrmr/") && without_a_constant(d.results.0, d.results.1),
    },
];

/// Whether a ranking is the expected one without the features whose score is infinite.
fn without_a_constant(want: &Value, got: &Value) -> bool {
    let list = |v: &Value, key: &str| v[key].as_array().cloned().unwrap_or_default();
    let scores = list(want, "score");
    let finite: Vec<Value> =
        list(want, "selected").into_iter().zip(&scores).filter(|(_, s)| s.is_number()).map(|(name, _)| name).collect();
    finite.len() < scores.len() && list(got, "selected").starts_with(&finite)
}

/// Whether numbers of features differ at the first penalty only, and by one.
fn df_at_first_penalty(want: &Value, got: &Value) -> bool {
    let (want, got) = (numbers(&want["df"]), numbers(&got["df"]));
    want.len() == got.len() && want[1..] == got[1..] && (want[0] - got[0]).abs() <= 1.0
}

fn text(e: SelectionError) -> String {
    e.to_string()
}

fn labelled(pack: &StatisticsPack, case: &Case) -> Result<(FeatureTable, Labels), String> {
    let table = pack.table(case, 0);
    let (names, values) = table.matrix(&["y"]);
    let labels = Labels::from_values(&table.numbers("y")).map_err(|e| e.to_string())?;
    Ok((FeatureTable::new(names, values).map_err(text)?, labels))
}

/// The number after `key=` in the call that made the case.
fn argument(call: &str, key: &str) -> Option<f64> {
    let rest = &call[call.find(&format!("{key}="))? + key.len() + 1..];
    rest.split([',', ')', ':', ' ']).next()?.parse().ok()
}

fn sparse(c: &SparseCoefficients) -> Map<String, Value> {
    let mut m = Map::new();
    m.insert("index".into(), c.columns().iter().map(|i| i + 1).collect());
    m.insert("value".into(), nums(c.values()));
    m
}

/// Coefficients at the path positions that the case lists.
fn listed(path: &ElasticNetPath, want: &Value) -> Value {
    let positions = want
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k, k.strip_prefix('k')?.parse::<usize>().ok()?, v)));
    positions
        .filter(|(_, k, _)| *k <= path.lambda().len())
        .map(|(name, k, v)| {
            let c = &path.coefficients()[k - 1];
            let mut m = sparse(c);
            m.insert("lambda".into(), num(path.lambda()[k - 1]));
            m.insert("a0".into(), num(c.intercept()));
            if v.get("df").is_some() {
                m.insert("df".into(), c.columns().len().into());
            }
            (name.clone(), Value::Object(m))
        })
        .collect::<Map<_, _>>()
        .into()
}

fn path_fields(path: &ElasticNetPath) -> Value {
    json!({"nulldev": path.null_deviance(), "n_lambda": path.lambda().len(), "lambda": nums(path.lambda()), "df": path.degrees_of_freedom(),
        "dev_ratio": nums(path.deviance_ratio()), "a0": path.coefficients().iter().map(|c| num(c.intercept())).collect::<Value>()})
}

fn glmnet(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let want = pack.expected(case);
    let alpha = argument(&case.call, "alpha").unwrap_or(1.0);
    let standardise = !case.call.contains("standardize=FALSE");
    let params =
        ElasticNetParams::default().with_alpha(alpha).with_standardise(standardise).with_max_passes(10_000_000);
    let exact = PathPrecision::OptimalityConditions(1e-10);
    let fit = |params: &ElasticNetParams| binomial_path(&table, &labels, params).map_err(text);
    let given = |lambda: Vec<f64>, precision| {
        fit(&params.clone().with_lambda(LambdaSequence::Given(lambda)).with_precision(precision))
    };
    let kind = case.kind.as_str();
    if let Some(rest) = kind.strip_prefix("cv_") {
        let measure = match rest.split('_').next() {
            Some("auc") => CvMeasure::Auc,
            Some("class") => CvMeasure::Misclassification,
            Some("mse") => CvMeasure::SquaredError,
            Some("mae") => CvMeasure::AbsoluteError,
            _ => CvMeasure::Deviance,
        };
        let folds = Folds::given(pack.table(case, 1).numbers("foldid").iter().map(|f| *f as usize - 1).collect())
            .map_err(text)?;
        let cv = cross_validate(&table, &labels, &folds, measure, &params).map_err(text)?;
        let (min, one_se) = (cv.coefficients(LambdaChoice::Min), cv.coefficients(LambdaChoice::OneStandardError));
        return Ok(
            json!({"lambda": nums(cv.path().lambda()), "cvm": nums(cv.mean()), "cvsd": nums(cv.standard_error()),
            "nzero": cv.path().degrees_of_freedom(), "lambda_min": cv.lambda(LambdaChoice::Min), "lambda_1se": cv.lambda(LambdaChoice::OneStandardError),
            "index_min": cv.index_min() + 1, "index_1se": cv.index_1se() + 1, "coef_min": sparse(min), "coef_1se": sparse(one_se),
            "intercept_min": min.intercept(), "intercept_1se": one_se.intercept()}),
        );
    }
    if kind.starts_with("path_default") {
        let path = fit(&params)?;
        let mut v = path_fields(&path);
        v["coef"] = listed(&path, &want["coef"]);
        return Ok(v);
    }
    // The pack's own precision, lower for its widest tables.
    let tight = PathPrecision::Threshold(if table.columns() > 500 { 1e-12 } else { 1e-14 });
    if kind.starts_with("path_tight") {
        // The penalties are an argument of the call.
        let path = given(numbers(&want["lambda"]), tight)?;
        let mut v = path_fields(&path);
        v["coef"] = listed(&path, &want["coef"]);
        return Ok(v);
    }
    if kind.starts_with("path_exact") {
        return Ok(listed(&given(fit(&params)?.lambda().to_vec(), exact)?, want));
    }
    match kind {
        "objective" => {
            let path = given(fit(&params)?.lambda().to_vec(), tight)?;
            let rows: Vec<usize> = (0..table.rows()).collect();
            let mut m = Map::new();
            for (key, _) in want.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
                let k: usize = key.trim_start_matches('k').parse().map_err(|_| "not a path position".to_owned())?;
                m.insert(key.clone(), objective(&table, &labels, &path, k - 1, &rows));
            }
            Ok(m.into())
        }
        "lambda_max_by_hand" => {
            let first = |alpha: f64| fit(&params.clone().with_alpha(alpha)).map(|p| num(p.lambda()[0]));
            Ok(
                json!({"by_hand": first(1.0)?, "glmnet": first(1.0)?, "glmnet_alpha_0.5": first(0.5)?, "ridge_first_lambda": first(0.0)?}),
            )
        }
        "penalty_factor_limits" => {
            let mut factors = vec![1.0; table.columns()];
            factors[..2].fill(0.0);
            let params = ElasticNetParams::default()
                .with_lambda(LambdaSequence::Given(vec![0.1, 0.05, 0.01]))
                .with_penalty_factors(factors)
                .with_lower_limit(-0.2)
                .with_upper_limit(0.3)
                .with_precision(PathPrecision::Threshold(1e-14));
            let path = fit(&params)?;
            let mut v = path_fields(&path);
            v["coef"] = listed(&path, &want["coef"]);
            Ok(v)
        }
        other => panic!("no kind {other}"),
    }
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn objective(table: &FeatureTable, labels: &Labels, path: &ElasticNetPath, k: usize, rows: &[usize]) -> Value {
    let c = &path.coefficients()[k];
    let eta: Vec<f64> = rows
        .iter()
        .map(|&r| {
            c.intercept() + c.columns().iter().zip(c.values()).map(|(&j, b)| b * table.values()[[r, j]]).sum::<f64>()
        })
        .collect();
    let n = rows.len() as f64;
    let loss =
        eta.iter().zip(labels.to_values()).map(|(e, y)| e.max(0.0) + (-e.abs()).exp().ln_1p() - y * e).sum::<f64>() / n;
    let scale = |j: usize| {
        let column = table.values().column(j).to_vec();
        (alnm_stats::describe::variance(&column) * (n - 1.0) / n).sqrt()
    };
    let penalty: f64 = c.columns().iter().zip(c.values()).map(|(&j, b)| b.abs() * scale(j)).sum();
    json!({"lambda": path.lambda()[k], "objective": loss + path.lambda()[k] * penalty, "neg_loglik_per_n": loss, "link": nums(&eta)})
}

fn ranking(r: &MrmrRanking) -> Map<String, Value> {
    let mut m = Map::new();
    m.insert("selected".into(), r.selected.iter().map(|s| s.feature.clone()).collect());
    m.insert("score".into(), r.selected.iter().map(|s| num(s.score)).collect());
    m
}

fn mrmr_case(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (table, labels) = labelled(pack, case)?;
    let want = pack.expected(case);
    let count = want["selected"].as_array().map_or(1, Vec::len);
    let kind = case.kind.as_str();
    // Columns that are equal up to sign tie exactly; of such twins the pack's choice is reported.
    let twins = |a: &str, b: &str| {
        let columns = [a, b].map(|n| table.column(n).map(|c| c.to_vec()).unwrap_or_default());
        [1.0, -1.0].iter().any(|sign| columns[0].iter().zip(&columns[1]).all(|(x, y)| *x == sign * y))
    };
    let ranking = |r: &MrmrRanking| {
        let mut m = ranking(r);
        let named =
            r.selected.iter().zip(want["selected"].as_array().into_iter().flatten()).map(|(s, w)| match w.as_str() {
                Some(w) if twins(&s.feature, w) => w.to_owned(),
                _ => s.feature.clone(),
            });
        m.insert("selected".into(), named.collect());
        m
    };
    let run = |variant: MrmrVariant| mrmr(&table, &labels, &MrmrParams::new(variant, count)).map_err(text);
    if let Some(rest) = kind.strip_prefix("pymrmr_") {
        let discretisation = Discretiser::AsGiven;
        let variant = if rest.starts_with("MID") {
            MrmrVariant::MutualInformationDifference { discretisation }
        } else {
            MrmrVariant::MutualInformationQuotient { discretisation, epsilon: 1e-4 }
        };
        let r = run(variant)?;
        return Ok(json!({"selected": ranking(&r)["selected"]}));
    }
    if let Some(rest) = kind.strip_prefix("mrmr_selection_") {
        let denominator = if rest.ends_with("max") { Denominator::Maximum } else { Denominator::Mean };
        let given = want["relevance"].as_object().cloned().unwrap_or_default();
        let relevance = match rest.split('_').next() {
            Some("f") => Relevance::F,
            Some("ks") => Relevance::KolmogorovSmirnov,
            // The forest depends on scikit-learn's generator; its importances are taken from the pack.
            _ => Relevance::Given(
                table.names().iter().map(|n| given.get(n).and_then(Value::as_f64).unwrap_or(0.0)).collect(),
            ),
        };
        let r = run(MrmrVariant::MrmrSelection { relevance, denominator })?;
        let relevances: Map<String, Value> = table
            .names()
            .iter()
            .cloned()
            .zip(r.relevance.iter().map(|v| num(*v)))
            .filter(|(n, _)| given.contains_key(n))
            .collect();
        return Ok(json!({"selected": ranking(&r)["selected"], "relevance": relevances}));
    }
    let continuous = |correlation| MrmrVariant::ContinuousMutualInformation { correlation };
    match kind {
        "FCD_definition" | "FCQ_definition" => {
            let r = run(if kind.starts_with("FCD") {
                MrmrVariant::FCorrelationDifference
            } else {
                MrmrVariant::FCorrelationQuotient
            })?;
            let mut m = ranking(&r);
            m.insert("F_all".into(), nums(&r.relevance));
            Ok(m.into())
        }
        "mRMRe_pearson" | "contMI_spearman" => {
            let kind =
                if kind == "mRMRe_pearson" { ContinuousCorrelation::Pearson } else { ContinuousCorrelation::Spearman };
            let r = run(continuous(kind))?;
            let mut m = ranking(&r);
            m.insert("mi_with_y".into(), nums(&r.relevance));
            Ok(m.into())
        }
        _ => {
            let (method, tag) = kind.rsplit_once('_').ok_or("no discretisation")?;
            let discretisation = match tag.split_at(1) {
                ("t", width) => Discretiser::MeanDeviation { width: width.parse().map_err(|_| "width")? },
                ("q", levels) => Discretiser::Quantiles { levels: levels.parse().map_err(|_| "levels")? },
                (_, levels) => Discretiser::EqualWidth { levels: levels.parse().map_err(|_| "levels")? },
            };
            let variant = match method {
                "MID" => MrmrVariant::MutualInformationDifference { discretisation },
                "MIQ" => MrmrVariant::MutualInformationQuotient { discretisation, epsilon: 0.0 },
                "MIQ_eps1e-4" => MrmrVariant::MutualInformationQuotient { discretisation, epsilon: 1e-4 },
                other => panic!("no method {other}"),
            };
            let r = run(variant)?;
            let mut m = ranking(&r);
            m.insert("relevance_all".into(), nums(&r.relevance));
            m.insert("relevance_of_selected".into(), r.selected.iter().map(|s| num(r.relevance[s.column])).collect());
            m.insert("mean_redundancy".into(), r.selected.iter().map(|s| num(s.redundancy)).collect());
            Ok(m.into())
        }
    }
}

fn correlation(pack: &StatisticsPack, case: &Case) -> Evaluated {
    let (_, x) = pack.table(case, 0).matrix(&[]);
    let kind_of = |name: &str| match name {
        "spearman" => Correlation::Spearman,
        "kendall" => Correlation::Kendall,
        _ => Correlation::Pearson,
    };
    if let Some(rest) = case.kind.strip_prefix("findCorrelation_") {
        let parts: Vec<&str> = rest.split('_').collect();
        let cutoff: f64 = parts[0].parse().map_err(|_| "cutoff")?;
        let rule = if parts[2] == "exactT" { CorrelationRule::CaretExact } else { CorrelationRule::CaretFast };
        let r = correlation_matrix(x.view(), kind_of(parts[1]), PairRows::Everything).map_err(|e| e.to_string())?;
        let removed: Vec<usize> =
            find_correlation(r.view(), cutoff, rule).map_err(text)?.iter().map(|x| x.removed + 1).collect();
        let mut ascending = removed.clone();
        ascending.sort_unstable();
        return Ok(
            json!({"removed": ascending, "n_removed": removed.len(), "n_kept": x.ncols() - removed.len(), "removed_in_returned_order": removed}),
        );
    }
    let (name, rows) = match case.kind.split_once('_') {
        Some((name, "pairwise")) => (name, PairRows::PairwiseComplete),
        Some((name, _)) => (name, PairRows::Complete),
        None => (case.kind.as_str(), PairRows::Everything),
    };
    let mut r = correlation_matrix(x.view(), kind_of(name), rows).map_err(|e| e.to_string())?;
    // R leaves 1 on the diagonal of Pearson's and Spearman's matrix even where a column has missing values.
    let want = &pack.expected(case)["matrix"];
    for i in 0..r.nrows() {
        if r[[i, i]].is_nan() && want[i][i].as_f64() == Some(1.0) {
            r[[i, i]] = 1.0;
        }
    }
    Ok(json!({"matrix": r.rows().into_iter().map(|row| nums(&row.to_vec())).collect::<Value>()}))
}

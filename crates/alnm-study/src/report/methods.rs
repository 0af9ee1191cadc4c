//! Summary, methods and limits in words, from what ran.

use alnm_deep::{ClassWeights, TrainingParams};
use alnm_imaging::n4::N4Params;
use alnm_models::gradient_boosting::BoostingParams;
use alnm_models::logistic::Estimation;
use alnm_registration::LesionConstraint;
use anyhow::{Context, Result};
use serde::Serialize;

use super::Findings;
use super::tables::with_interval;
use crate::analysis::{INTEGRATED, LEVEL, RISK_GROUPS};
use crate::cohort::{Cohort, MissingHandling};
use crate::deep::LEARNING_RATE;
use crate::preparation::{OTSU_BINS, PARAMETERS_926, n4_params};
use crate::scores::{CORRELATION_CUTOFF, MRMR_FEATURES};
use crate::series::{SeriesLearning, SeriesOptions, StudyStandard};
use crate::study::Study;
use crate::table::FOLDS;

/// A paragraph with its heading.
#[derive(Debug, Serialize)]
pub(super) struct Paragraph {
    pub(super) heading: &'static str,
    pub(super) text: String,
}

/// The integrated model's discrimination in one cohort.
#[derive(Debug, Serialize)]
pub(super) struct Headline {
    cohort: String,
    patients: usize,
    metastasis: usize,
    auc: String,
    sensitivity: String,
    specificity: String,
    remark: &'static str,
}

/// Every parameter of the run that is not in `settings.json`, step by step.
#[derive(Serialize)]
pub(super) struct RunParameters<'a> {
    n4: N4Params,
    otsu_bins: usize,
    radiomics: &'a str,
    selections: [&'a alnm_selection::Pipeline; 2],
    fine_tuning: TrainingParams,
    boosting: BoostingParams,
}

/// The parameters of the run.
pub(super) fn parameters<'a>(study: &Study, findings: &Findings<'a>) -> RunParameters<'a> {
    RunParameters {
        n4: n4_params(),
        otsu_bins: OTSU_BINS,
        radiomics: PARAMETERS_926,
        selections: [&findings.inputs.radiomic_pipeline, &findings.inputs.deep_pipeline],
        fine_tuning: training_params(study),
        boosting: BoostingParams::default(),
    }
}

fn training_params(study: &Study) -> TrainingParams {
    TrainingParams::default()
        .with_epochs(study.settings.epochs)
        .with_learning_rate(LEARNING_RATE[usize::from(study.settings.weights.is_some())])
        .with_seed(study.settings.seed)
}

/// The integrated model in every cohort, at the cutoff of the training centre.
pub(super) fn headline(findings: &Findings<'_>) -> Vec<Headline> {
    let results = findings.results;
    let remarks = [
        (&results.training, "optimistic: judged on the patients it was fitted to"),
        (&results.cross_fitted, "judged on patients left out of the fit"),
    ];
    let remark = if findings.cohort.description.design.later_from.is_some() {
        "nothing was learned there; centres named by a day are later patients of the training centre"
    } else {
        "external: nothing was learned there"
    };
    let outside = results.outside().map(move |evaluation| (evaluation, remark));
    remarks
        .into_iter()
        .chain(outside)
        .filter_map(|(evaluation, remark)| {
            let performance = evaluation.performances.iter().find(|performance| performance.model == INTEGRATED)?;
            let at = &performance.carried_cutoff.metrics;
            Some(Headline {
                cohort: evaluation.cohort.clone(),
                patients: evaluation.labels.len(),
                metastasis: evaluation.labels.positives(),
                auc: with_interval(performance.auc.auc, performance.auc.interval),
                sensitivity: with_interval(at.sensitivity.estimate, at.sensitivity.interval),
                specificity: with_interval(at.specificity.estimate, at.specificity.interval),
                remark,
            })
        })
        .collect()
}

/// The same as the cells of a table below its header.
pub(super) fn headline_cells(findings: &Findings<'_>) -> (Vec<String>, Vec<Vec<String>>) {
    let header = ["cohort", "patients", "with metastasis", "AUC (95 % CI)", "sensitivity", "specificity", ""];
    let cells = |row: Headline| {
        let (patients, metastasis) = (row.patients.to_string(), row.metastasis.to_string());
        vec![row.cohort, patients, metastasis, row.auc, row.sensitivity, row.specificity, row.remark.to_owned()]
    };
    (header.map(str::to_owned).to_vec(), headline(findings).into_iter().map(cells).collect())
}

/// The methods section.
///
/// # Errors
/// When the integrated model is missing.
pub(super) fn paragraphs(study: &Study, findings: &Findings<'_>) -> Result<Vec<Paragraph>> {
    Ok(vec![
        Paragraph { heading: "Patients", text: patients(findings.cohort) },
        Paragraph { heading: "Predictors", text: predictors() },
        Paragraph { heading: "Images and radiomic features", text: images(findings) },
        Paragraph { heading: "Deep features", text: deep_features(study) },
        Paragraph { heading: "Selection and scores", text: selection(study, findings) },
        Paragraph { heading: "Models", text: models(findings)? },
        Paragraph { heading: "Evaluation", text: evaluation(study, findings) },
        Paragraph { heading: "Software", text: software(study) },
    ])
}

fn patients(cohort: &Cohort) -> String {
    let description = &cohort.description;
    let of = |centre: &String| {
        let all = cohort.patients.iter().filter(|patient| patient.centre == *centre);
        let (count, positive) =
            all.fold((0, 0), |(count, positive), patient| (count + 1, positive + usize::from(patient.alnm)));
        format!("{centre} ({count} patients, {positive} with metastasis)")
    };
    let validation: Vec<String> = description.validation_centres.iter().map(of).collect();
    let missing = match description.missing_handling() {
        MissingHandling::Impute => format!(
            "Missing values of age, diameters and blood counts were imputed {} times by chained equations (predictive mean matching), with \
             RadScore, DLScore and, in training alone, the outcome among the predictors. The equations were learned from training rows, in \
             each fold anew; validation patients were completed by them without their outcomes. Tables and figures rest on the first completed \
             table; figures pooled over all by Rubin's rules stand beside those of complete cases in tables of their own. The integrated model \
             that is written out and handed on has pooled coefficients. A new patient who lacks a value is completed by linear regressions with \
             normal noise on logarithms of the measurements, learned from training patients without any outcome.",
            description.missing.imputations
        ),
        MissingHandling::Exclude => {
            "Patients who lacked a value that a model needs were excluded; receptors, Ki-67 and subtype may be missing."
                .to_owned()
        }
        MissingHandling::Refuse => {
            "No value that a model needs was missing; receptors, Ki-67 and subtype may be.".to_owned()
        }
    };
    let judged = match validation.as_slice() {
        [] => "no centre validated, so the cross-fitted figures judge the models".to_owned(),
        centres => format!("those of {} validated", centres.join(" and ")),
    };
    let temporal = match description.design.later_from {
        Some(day) => format!(
            " Patients of the training centre from {} on taught nothing and validated as a group of their own (temporal validation).",
            String::from(day)
        ),
        None => String::new(),
    };
    format!(
        "Patients of {} trained; {judged}.{temporal} Everything learned was learned on the training centre. Of {} patients in the table {} were \
         excluded; the patient flow lists the reasons. {missing}",
        of(&description.training_centre),
        cohort.patients.len() + cohort.excluded.len(),
        cohort.excluded.len(),
    )
}

fn predictors() -> String {
    "Clinical variables were age (years), maximum tumour diameter MTD (cm) and the short axis of the axillary node SAD_ALN (cm). From counts of \
     neutrophils N, lymphocytes L, monocytes M, white cells WBC and platelets P (10⁹/L) came SII = N·P/L, NLR = N/L, PLR = P/L, MLR = M/L and \
     WLR = WBC/L. Receptors, Ki-67 and subtype are described and define subgroups; no model holds them."
        .to_owned()
}

fn images(findings: &Findings<'_>) -> String {
    let description = &findings.cohort.description;
    let n4 = n4_params();
    let features = findings.images.features.names().len() + findings.images.undefined.len();
    let mut text = format!(
        "Phase {} of each dynamic series (or the only phase) was corrected by N4 (field estimated on a grid coarser by {}, mask by Otsu's threshold with \
         {OTSU_BINS} bins), and resampled to 1 mm by B-splines. Inside label {} of the outline {features} features were computed as PyRadiomics does \
         (bin width 25; original image, Laplacian of Gaussian with sigma 3 mm, eight bands of the coif1 wavelet; shape, first order, GLCM, GLRLM, \
         GLSZM, GLDM, NGTDM; every other parameter at its default).",
        description.phase, n4.shrink, description.label,
    );
    if let Some(series) = &findings.images.series {
        text.push_str(&beside_one_phase(series, description.phase));
    }
    match findings.images.undefined.len() {
        0 => text.push_str(" All were defined for all training patients."),
        undefined => text.push_str(&format!(" {undefined} were undefined for some training patient and left out.")),
    }
    if let Some(table) = &findings.images.reliability {
        text.push_str(&format!(
            " An earlier comparison of readers called {} of {} features reliable; the others were left out.",
            table.reliable.len(),
            table.reliable.len() + table.unreliable.len()
        ));
    }
    match &findings.inputs.agreement {
        None if findings.images.reliability.is_some() => {}
        None => text.push_str(" No training patients were outlined by two readers, so repeatability was not examined."),
        Some(agreement) => text.push_str(&format!(
            " {} training patients were outlined by two readers; {} of {} features had an ICC(2,1) above 0.75 and went on.",
            findings.images.readers[0].rows(),
            agreement.iter().filter(|feature| feature.reliable).count(),
            agreement.len()
        )),
    }
    text
}

/// Motion, further phases, regions and the scale of intensities in words.
fn beside_one_phase(series: &SeriesLearning, phase: usize) -> String {
    let SeriesOptions { motion, phases, regions, standardise } = &series.options;
    let mut text = String::new();
    if let Some(motion) = motion {
        let stages: Vec<String> = motion.stages.iter().map(|stage| format!("{stage:?}")).collect();
        text.push_str(&format!(
            " The phases that are used were registered onto phase {phase} ({}; the lesion's volume {}).",
            stages.join(", then "),
            if motion.lesion == LesionConstraint::Free { "free" } else { "kept" },
        ));
    }
    if let Some(phases) = phases {
        let numbers: Vec<String> = phases.further.iter().map(ToString::to_string).collect();
        let maps: Vec<&str> = phases.maps.iter().map(|map| map.name()).collect();
        let named = [("phases", numbers.join(", ")), ("maps", maps.join(", "))];
        let named: Vec<String> = named
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(kind, list)| format!("{kind} {list}"))
            .collect();
        if !named.is_empty() {
            text.push_str(&format!(" Features of further images were taken as well: {}.", named.join("; ")));
        }
        if !phases.deltas.is_empty() {
            text.push_str(&format!(" Phases were compared with the first one taken: {:?}.", phases.deltas));
        }
    }
    if let Some(regions) = regions {
        for [from, to] in &regions.rings {
            text.push_str(&format!(
                " A ring from {from} to {to} mm of the surface, within Otsu's foreground, is a region."
            ));
        }
        if let (Some(habitats), Some(model)) = (&regions.habitats, &series.learned.habitats) {
            let maps: Vec<&str> = habitats.maps.iter().map(|map| map.name()).collect();
            text.push_str(&format!(
                " {} habitats ({:?} of {} in {} voxels of {} training patients) are regions.",
                model.habitat_count(),
                habitats.clusters.method,
                maps.join(", "),
                model.learned_voxels(),
                series.learned.patients
            ));
        }
    }
    if let Some(standard) = standardise {
        let method = match standard {
            StudyStandard::Nyul(_) => "Nyúl's landmarks",
            StudyStandard::HistogramMatching(_) => "histogram matching",
            StudyStandard::WhiteStripe(_) => "the reference tissue of each image (white-stripe)",
            StudyStandard::Site => "the training centre's mean and standard deviation",
            StudyStandard::ZScore => "z-scores",
        };
        let learned = if standard.is_learned() {
            format!(", learned on {} training patients", series.learned.patients)
        } else {
            String::new()
        };
        text.push_str(&format!(" Before features were taken intensities were standardised by {method}{learned}."));
    }
    text
}

fn deep_features(study: &Study) -> String {
    let settings = &study.settings;
    let side = settings.backbone_size.side();
    let params = training_params(study);
    let start = match &settings.weights {
        None => "a seeded random initialisation, not ImageNet weights".to_owned(),
        Some(path) => format!("the weights in {}", path.file_name().unwrap_or_default().to_string_lossy()),
    };
    let clip = params.gradient_clip.map_or(String::new(), |norm| format!(", gradients clipped at norm {norm}"));
    let balance = match params.class_weights {
        ClassWeights::Balanced => "both outcomes weighing alike".to_owned(),
        ClassWeights::None => "unweighted".to_owned(),
        ClassWeights::Given([negative, positive]) => {
            format!("outcomes weighing {negative} (without metastasis) and {positive}")
        }
        other => format!("outcomes weighed by {other:?}"),
    };
    format!(
        "The rectangle around the largest axial section of the tumour, with a margin of 3 mm, was resized to {side} × {side} pixels by linear \
         interpolation, grey values from the 1st to the 99th percentile brought to [0, 1]. All parameters of {} with a head for metastasis were \
         fine-tuned for {} epochs from {start} (AdamW, weight decay 0.01, highest learning rate {}, batches of {}{clip}; cross-entropy, {balance}; \
         rotations up to 15 degrees, both flips, noise of standard deviation 0.01). The 1000 outputs of the last fully connected layer before the \
         head are the deep features.",
        settings.backbone_size.backbone().name(),
        params.epochs,
        params.learning_rate,
        params.batch_size,
    )
}

fn selection(study: &Study, findings: &Findings<'_>) -> String {
    let kept = |pipeline: &alnm_selection::FittedPipeline| {
        pipeline.signature().map_or(0, |signature| signature.weights().len())
    };
    format!(
        "Radiomic and deep features went apart through the same steps: features without variance out; Student's, Welch's or the Mann-Whitney test by \
         normality (p < 0.05 stays); of two features with Pearson's |r| above {CORRELATION_CUTOFF} one out; mRMR with continuous mutual information, \
         at most {MRMR_FEATURES} features; LASSO logistic regression with λ of the smallest deviance in {FOLDS} stratified folds (seed {}). {} radiomic and {} deep \
         features remained; their weighted sums are RadScore and DLScore.",
        study.settings.seed,
        kept(&findings.scores.radiomic),
        kept(&findings.scores.deep),
    )
}

fn models(findings: &Findings<'_>) -> Result<String> {
    let results = findings.results;
    let integrated = results
        .models
        .models()
        .iter()
        .find(|model| model.specification().name == INTEGRATED)
        .context("no integrated model")?;
    let boosting = BoostingParams::default();
    let firth = results.models.models().iter().filter(|model| model.model().estimation() == Estimation::Firth).count();
    let separated = match firth {
        0 => String::new(),
        models => format!(
            " {models} of them, whose variables separate the outcomes, were estimated by Firth's penalised likelihood."
        ),
    };
    Ok(format!(
        "Gradient boosting ({} rounds, learning rate {}, {} leaves) ranked ten variables; logistic models of the first one, two, … of them were compared \
         by their mean AUC in {FOLDS} stratified folds. Ten logistic models were fitted; the integrated one holds {}.{separated} The output is the risk of \
         metastasis; its cutoff is Youden's in the training centre.",
        boosting.rounds,
        boosting.learning_rate,
        boosting.num_leaves,
        integrated.specification().variables.join(", "),
    ))
}

fn evaluation(study: &Study, findings: &Findings<'_>) -> String {
    let percent = 100.0 * LEVEL;
    let network = if study.settings.cross_fit_network {
        "So was the network: it was fine-tuned once for each fold, without the judged patients."
    } else {
        "The network is the exception: its features come from the one fine-tuning on all training patients, so cross-fitted figures of models \
         with DLScore are still optimistic (--cross-fit-network fine-tunes it in each fold)."
    };
    format!(
        "Discrimination: AUC with DeLong's {percent:.0} % interval and paired test. Calibration: Hosmer-Lemeshow test in {RISK_GROUPS} groups, intercept and \
         slope, smooth curve (loess). Clinical use: decision curves. Figures called training judge models on the patients they were fitted to. Beside them \
         stand figures corrected by {} bootstraps of the regression with the scores held fixed (seed {}), and cross-fitted figures: selection, scores \
         and models fitted anew without the judged patients, in {FOLDS} folds. {network} Validation centres are reported one by one, with the training cutoff carried \
         over and with each cohort's own optimum. The run learned everything but the network a second time with outcomes and features of the validation \
         patients replaced: nothing learned changed by a bit, and the network's record names the {} patients of the training centre alone. The selections \
         were repeated on {} bootstraps. Harmonisation of features between scanners is compared in a table of its own and used in no other. {}{}",
        study.settings.resamples,
        study.settings.seed,
        findings.deep.trained_on.len(),
        findings.robustness.selection_resamples,
        findings.harmonisation.remark,
        designs(study),
    )
}

/// What stands in the tables of further designs.
fn designs(study: &Study) -> String {
    let mut text = String::new();
    if study.leave_one_centre_out.is_some() {
        text.push_str(
            " Every centre was judged, too, by selections, scores, models and a network learned in all others; areas and calibration over the centres are \
             means by a random-effects model (DerSimonian and Laird).",
        );
    }
    if !study.further_outcomes.is_empty() {
        text.push_str(
            " Further outcomes in the table of patients were modelled from the same variables: the nodal stage by proportional odds, the number of positive \
             nodes by a negative binomial regression, the time to a recurrence by Cox's regression. RadScore and DLScore were learned for metastasis.",
        );
    }
    text
}

fn software(study: &Study) -> String {
    format!(
        "alnm {} (crates alnm-imaging, alnm-radiomics, alnm-deep, alnm-selection, alnm-models, alnm-stats of the same version), seed {} for everything \
         random. settings.json holds what the run was asked for, parameters.json every parameter of every step.",
        env!("CARGO_PKG_VERSION"),
        study.settings.seed,
    )
}

/// What the figures cannot carry.
pub(super) fn limits(study: &Study, findings: &Findings<'_>) -> Vec<String> {
    let mut limits = Vec::new();
    let description = &findings.cohort.description;
    if description.simulated {
        limits.push(
            "The cohort is simulated: shapes, textures and clinical variables were drawn so that the published distributions come out. Agreement \
             with published figures says nothing about patients."
                .to_owned(),
        );
    }
    if study.settings.weights.is_none() {
        limits.push(
            "The network did not start from weights that know images; with ImageNet weights the deep features would differ.".to_owned(),
        );
    }
    limits.push(
        "Training figures are optimistic; so are those at a cohort's own cutoff, which uses that cohort's outcomes."
            .to_owned(),
    );
    limits.push(
        "Bootstrap-corrected figures hold the scores fixed and miss the optimism of feature selection; cross-fitted ones include it."
            .to_owned(),
    );
    let size = &findings.robustness.sample_size;
    if let Some(riley) = &size.riley {
        let asked = riley.for_shrinkage.max(riley.for_optimism).max(riley.for_overall_risk);
        if asked > size.patients {
            limits.push(format!(
                "Riley's criteria ask for {asked} training patients for the candidate variables alone; {} were there.",
                size.patients
            ));
        }
    }
    for evaluation in &findings.results.validation {
        let rarer = evaluation.labels.positives().min(evaluation.labels.negatives());
        if rarer < 100 {
            limits.push(format!(
                "{} has {rarer} patients of the rarer outcome; about 100 are advised for external validation of calibration (Collins et al. 2016).",
                evaluation.cohort
            ));
        }
    }
    limits.push(
        "Outlines come from readers; another segmentation gives other features, and nothing here shows how much that moves the risk."
            .to_owned(),
    );
    limits
}

//! Skeleton.
use alnm_examples::study::*;
fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let mut study = Study::new(StudySettings {
        cohort: None,
        patients: args[1].parse().ok(),
        out: args[2].clone().into(),
        weights: None,
        epochs: args[3].parse()?,
        backbone_size: if args[4] == "full" { BackboneSize::Full } else { BackboneSize::Tiny },
        resamples: 100,
        seed: 7,
    });
    study.claim_output()?;
    let cohort = study.cohort()?;
    let images = study.images(&cohort)?;
    let deep = study.deep_features(&cohort, &images)?;
    println!("{:#?}", deep.history);
    let inputs = scores::ScoreInputs::new(&images, &deep, 7)?;
    println!("{:?} undefined {:?}", inputs.reliable, images.undefined);
    let scores = study.scores(&cohort, &inputs)?;
    for p in [&scores.radiomic, &scores.deep] {
        for r in &p.report {
            println!("{} {} -> {}", r.step, r.before, r.after);
        }
        println!("{:?}", p.selected);
    }
    let r = study.analysis(&cohort, &inputs, &scores)?;
    for row in r.table_one.cells() {
        println!("{}", row.join(" | "));
    }
    for e in [&r.training, &r.cross_fitted].into_iter().chain(&r.validation) {
        println!("{}", e.cohort);
        for (p, c) in e.performances.iter().zip(&e.calibrations) {
            println!("  {:14} {:.3} brier {:.3} HL {:?}", p.model, p.auc.auc, p.brier, c.hosmer_lemeshow.as_ref().map(|h| h.test.p_value));
        }
    }
    println!("{:?}", r.subsets.best_variables());
    for c in &study.costs {
        println!("{:40} {:.1} s {:?}", c.step, c.seconds, c.peak_memory_mib);
    }
    Ok(())
}

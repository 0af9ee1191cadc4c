//! Skeleton.
fn main() {
    let s = alnm_examples::simulation::Simulation::published(7);
    let t = std::time::Instant::now();
    s.write(std::path::Path::new("/tmp/simcohort"), &|| ()).unwrap();
    eprintln!("written {:?}", t.elapsed());
    let t = std::time::Instant::now();
    s.write(std::path::Path::new("/tmp/simcohort"), &|| ()).unwrap();
    eprintln!("verified {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let c = alnm_examples::cohort::load(std::path::Path::new("/tmp/simcohort")).unwrap();
    let all: Vec<_> = c.patients.iter().collect();
    let f = alnm_examples::cohort::check_files(&c, &all, &|| ());
    eprintln!("checked {:?} {:?}", t.elapsed(), f.iter().flat_map(|f| f.problems.clone()).collect::<Vec<_>>());
}

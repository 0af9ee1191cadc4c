# Percentile intervals of a decision curve in base R on the resamples of this crate; run beside sample.csv and resamples.csv, see
# make_intervals.py. Writes decision_intervals.csv: threshold, then lower and upper of net benefit, standardised net benefit and
# interventions avoided a patient.
sample <- read.csv("sample.csv"); resamples <- as.matrix(read.csv("resamples.csv", header = FALSE)) + 1
measures <- function(rows, t) {
  event <- sample$event[rows] == 1; treated <- sample$risk[rows] >= t; n <- length(rows); odds <- t / (1 - t)
  benefit <- sum(treated & event) / n - sum(treated & !event) / n * odds
  all <- mean(event) - (1 - mean(event)) * odds
  c(benefit, benefit / mean(event), (benefit - all) / odds)
}
lines <- paste("#", R.version.string)
for (t in c(0.05, 0.2, 0.35, 0.5, 0.75)) {
  values <- apply(resamples, 1, measures, t = t)
  intervals <- apply(values, 1, quantile, probs = c(0.025, 0.975), type = 7)
  lines <- c(lines, paste(c(t, sprintf("%.17g", intervals)), collapse = ","))
}
writeLines(lines, "decision_intervals.csv")

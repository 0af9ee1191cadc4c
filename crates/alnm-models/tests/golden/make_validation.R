# rms::validate of a logistic model on the resamples of alnm-stats. Run beside resamples.csv, which the test `resamples_are_as_written` of
# tests/golden.rs prints when ALNM_PRINT_RESAMPLES is set:
#
#   ALNM_PRINT_RESAMPLES=1 cargo test -p alnm-models --test golden resamples -- --nocapture
#   apt-get install r-base r-cran-rms && Rscript make_validation.R
#
# Writes cohort.csv (invented patients) and validation.csv: measure, then apparent, training, test, optimism and corrected.
suppressPackageStartupMessages(library(rms))
set.seed(5)
n <- 90
cohort <- data.frame(a = round(rnorm(n), 3), b = round(runif(n, 20, 80), 1), c = rbinom(n, 1, 0.4))
cohort$y <- rbinom(n, 1, plogis(0.8 * cohort$a + 0.03 * (cohort$b - 50) + 0.6 * cohort$c - 0.3))
write.csv(cohort, "cohort.csv", row.names = FALSE, quote = FALSE)
resamples <- as.matrix(read.csv("resamples.csv", header = FALSE)) + 1
fit <- lrm(y ~ a + b + c, cohort, x = TRUE, y = TRUE, tol = 1e-14, eps = 1e-12, maxit = 100)
# validate draws its resamples by sample(n, replace = TRUE); here each draw is the next of ours.
drawn <- 0
ours <- function(x, size, replace = FALSE, prob = NULL) { drawn <<- drawn + 1; resamples[drawn, ] }
environment(ours) <- globalenv()
resampling <- predab.resample
body(resampling) <- do.call(substitute, list(body(resampling), list(sample = quote(ours))))
assignInNamespace("predab.resample", resampling, "rms")
found <- validate(fit, method = "boot", B = nrow(resamples), tol = 1e-14, eps = 1e-12, maxit = 100)
stopifnot(drawn == nrow(resamples))
lines <- paste0("# ", R.version.string, ", rms ", packageVersion("rms"))
for (measure in c("Dxy", "B", "Intercept", "Slope")) lines <- c(lines, paste(c(measure, sprintf("%.17g", unclass(found)[measure, 1:5])), collapse = ","))
writeLines(lines, "validation.csv")
print(found)

# Recomputes the figures of `alnm validate` from outcomes and risks alone.
#
#   alnm validate bundle.safetensors cohort --format csv --out validation.csv --risks risks.csv
#   Rscript crates/alnm-cli/scripts/check_validation.R validation.csv risks.csv
#
# pROC: area with DeLong's interval. rms: calibration intercept and slope (val.prob), with Wald intervals by glm. Base R: Brier score,
# calibration in the large, Clopper-Pearson intervals, net benefit. Status 1 when a figure differs by more than 1e-10 relatively, or the slope
# from that of val.prob, which stops early, by more than 1e-4.

suppressPackageStartupMessages({ library(pROC); library(rms) })
files <- commandArgs(trailingOnly = TRUE)
figures <- read.csv(files[1], check.names = FALSE)
judged <- read.csv(files[2])
y <- judged$alnm
p <- judged$risk
largest <- 0
compare <- function(part, measure, at, expected, tolerance, columns = c("estimate", "lower", "upper")) {
  row <- figures[figures$part == part & figures$measure == measure & (is.na(at) | figures$at == at), ][1, ]
  found <- unlist(row[columns[seq_along(expected)]])
  difference <- max(abs(as.numeric(found) - expected) / pmax(1, abs(expected)))
  if (tolerance <= 1e-10) largest <<- max(largest, difference)
  cat(sprintf("%-14s %-24s %-22s %.1e\n", part, measure, ifelse(is.na(at), "", at), difference))
  if (!is.finite(difference) || difference > tolerance) stop("differs: ", measure, ": ", paste(found, collapse = " "), " and ", paste(expected, collapse = " "))
}

area <- roc(y, p, direction = "<", quiet = TRUE)
interval <- as.numeric(ci.auc(area, method = "delong"))
compare("discrimination", "AUC", NA, c(interval[2], interval[1], interval[3]), 1e-10)
compare("calibration", "Brier score", NA, mean((p - y)^2), 1e-10)
logit <- qlogis(p)
strict <- glm.control(epsilon = 1e-14, maxit = 100)
wald <- function(fit, term) {
  found <- summary(fit)$coefficients[term, 1:2]
  c(found[1], found[1] - qnorm(0.975) * found[2], found[1] + qnorm(0.975) * found[2])
}
# glm has the weights of its standard errors from the step before the last: begun at its answer, it has those of the answer.
settled <- function(fit) update(fit, start = coef(fit))
large <- settled(glm(y ~ 1, offset = logit, family = binomial, control = strict))
line <- settled(glm(y ~ logit, family = binomial, control = strict))
compare("calibration", "in the large", NA, wald(large, 1), 1e-10)
compare("calibration", "intercept", NA, wald(line, 1), 1e-10)
compare("calibration", "slope", NA, wald(line, 2), 1e-10)
printed <- val.prob(p, y, pl = FALSE)
compare("calibration", "slope", NA, as.numeric(printed["Slope"]), 1e-4)
observed <- sum(y)
compare("calibration", "expected over observed", NA, sum(p) / observed, 1e-10)

cutoffs <- unique(figures$at[figures$part == "verdicts"])
for (at in cutoffs) {
  threshold <- as.numeric(sub(".* ", "", at))
  share <- function(successes, of) {
    exact <- binom.test(successes, of)$conf.int
    c(successes / of, exact[1], exact[2])
  }
  positive <- p > threshold
  compare("verdicts", "sensitivity", at, share(sum(positive & y == 1), sum(y == 1)), 1e-10)
  compare("verdicts", "specificity", at, share(sum(!positive & y == 0), sum(y == 0)), 1e-10)
  compare("verdicts", "accuracy", at, share(sum(positive == (y == 1)), length(y)), 1e-10)
}
after <- plogis(coef(line)[1] + coef(line)[2] * logit)
benefit <- function(risk, threshold) mean(risk >= threshold & y == 1) - mean(risk >= threshold & y == 0) * threshold / (1 - threshold)
for (threshold in unique(figures$at[figures$part == "net benefit"])) {
  compare("net benefit", "model", threshold, benefit(p, as.numeric(threshold)), 1e-10)
  compare("net benefit", "treat all", threshold, benefit(rep(1, length(p)), as.numeric(threshold)), 1e-10)
  compare("net benefit", "recalibrated model", threshold, benefit(after, as.numeric(threshold)), 1e-10)
}
cat(sprintf("largest relative difference %.1e\n", largest))

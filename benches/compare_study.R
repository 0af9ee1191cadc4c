# The statistical steps of the study in R on the features of a finished run; see compare_study.py, which calls it.
#
#   Rscript benches/compare_study.R OUT STEP
#
# Prints the seconds of one step (selection, tables, cross-fitting, bootstrap, stability), data loaded before. glmnet, pROC, MASS; two
# processes where the step has independent parts.

suppressPackageStartupMessages({ library(glmnet); library(pROC); library(MASS); library(parallel) })
arguments <- commandArgs(trailingOnly = TRUE)
out <- arguments[1]; step <- arguments[2]
cores <- 2
read_table <- function(name) read.csv(file.path(out, "tables", paste0(name, ".csv")), check.names = FALSE)
radiomic <- read_table("features_radiomic"); deep <- read_table("features_deep")
agreement <- read_table("agreement")
patients <- read.csv(file.path(out, "cohort", "patients.csv"))
is_training <- patients$centre == patients$centre[1]
y <- patients$alnm
tables <- list(as.matrix(radiomic[agreement$feature[agreement$reliable == "true"]]), as.matrix(deep[-(1:3)]))
clinical <- with(patients, data.frame(age = age_years, MTD = mtd_cm, SAD_ALN = sad_aln_cm, NLR = neutrophils / lymphocytes, PLR = platelets / lymphocytes,
  MLR = monocytes / lymphocytes, WLR = wbc / lymphocytes, SII = neutrophils * platelets / lymphocytes))

# Zero variance, t or Mann-Whitney test, |r| > 0.60, mRMR (20 features), LASSO by ten-fold cross-validation; the score of all rows.
score <- function(x, rows, y, folds) {
  own <- x[rows, , drop = FALSE]
  own <- own[, apply(own, 2, function(v) max(v) > min(v)), drop = FALSE]
  p <- apply(own, 2, function(v) {
    a <- v[y == 0]; b <- v[y == 1]
    normal <- max(a) > min(a) && max(b) > min(b) && min(shapiro.test(a)$p.value, shapiro.test(b)$p.value) >= 0.05
    if (normal) t.test(a, b)$p.value else suppressWarnings(wilcox.test(a, b)$p.value)
  })
  keep <- which(!is.na(p) & p < 0.05)
  if (length(keep) == 0) return(rep(0, nrow(x)))
  own <- own[, keep[order(p[keep])], drop = FALSE]
  r <- abs(cor(own)); dropped <- rep(FALSE, ncol(own))
  for (i in seq_len(ncol(own))) if (!dropped[i]) dropped[seq_len(ncol(own)) > i & r[i, ] > 0.60] <- TRUE
  own <- own[, !dropped, drop = FALSE]
  information <- function(r) -0.5 * log(1 - pmin(r^2, 1 - 1e-12))
  relevance <- information(as.vector(cor(own, y))); mutual <- information(cor(own))
  chosen <- which.max(relevance); redundancy <- mutual[, chosen]
  while (length(chosen) < min(20, ncol(own))) {
    value <- relevance - redundancy / length(chosen); value[chosen] <- -Inf
    best <- which.max(value); chosen <- c(chosen, best); redundancy <- redundancy + mutual[, best]
  }
  if (length(chosen) < 2) return(x[, colnames(own)[chosen]])
  fit <- cv.glmnet(own[, chosen], y, family = "binomial", foldid = folds)
  as.vector(predict(fit, x[, colnames(own)[chosen]], s = "lambda.min"))
}
stratified <- function(y, k) { folds <- integer(length(y)); for (v in 0:1) folds[y == v] <- sample(rep_len(seq_len(k), sum(y == v))); folds }
both_scores <- function(rows) {
  folds <- stratified(y[rows], 10)
  data.frame(RadScore = score(tables[[1]], rows, y[rows], folds), DLScore = score(tables[[2]], rows, y[rows], folds))
}
models <- list(c("age", "MTD", "SAD_ALN"), "SII", "RadScore", "DLScore", c("age", "MTD", "SAD_ALN", "SII"), c("age", "MTD", "SAD_ALN", "RadScore"),
  c("age", "MTD", "SAD_ALN", "DLScore"), c("RadScore", "SII"), c("DLScore", "SII"), c("RadScore", "SAD_ALN", "DLScore", "MTD", "SII", "age"))
logistic <- function(data, variables, rows) suppressWarnings(glm(reformulate(variables, "alnm"), binomial, data[rows, ]))
rows <- which(is_training)
set.seed(7)
data <- if (step %in% c("tables", "bootstrap")) { scores <- read_table("scores"); cbind(clinical, scores[c("RadScore", "DLScore")], alnm = y) }
quiet_roc <- function(y, risk) roc(y, risk, levels = c(0, 1), direction = "<", quiet = TRUE)

work <- list(
  selection = function() both_scores(rows),
  tables = function() {
    training <- data[rows, ]
    for (name in setdiff(names(data), "alnm")) {
      a <- training[training$alnm == 0, name]; b <- training[training$alnm == 1, name]
      if (min(shapiro.test(a)$p.value, shapiro.test(b)$p.value) >= 0.05) t.test(a, b) else suppressWarnings(wilcox.test(a, b))
      fit <- logistic(data, name, rows); suppressMessages(confint(fit, 2)); anova(fit, test = "Chisq")
    }
    for (marker in c("pr", "er", "her2", "ki67")) chisq.test(patients[rows, marker], training$alnm, correct = FALSE)
    fisher.test(patients$subtype[rows], training$alnm, workspace = 2e7)
    # Subsets of growing size in ten folds, then the ten models in both cohorts.
    folds <- stratified(training$alnm, 10); ordered <- setdiff(names(data), "alnm")
    for (k in seq_along(ordered)) for (fold in 1:10) {
      fit <- logistic(data, ordered[1:k], rows[folds != fold])
      auc(quiet_roc(y[rows[folds == fold]], predict(fit, data[rows[folds == fold], ])))
    }
    for (cohort in list(rows, which(!is_training))) {
      curves <- lapply(models, function(variables) {
        risk <- predict(logistic(data, variables, rows), data[cohort, ], type = "response")
        curve <- quiet_roc(y[cohort], risk); ci.auc(curve)
        best <- coords(curve, "best", best.method = "youden")
        groups <- cut(risk, unique(quantile(risk, 0:10 / 10)), include.lowest = TRUE); tapply(y[cohort], groups, sum); tapply(risk, groups, sum)
        suppressWarnings(glm(y[cohort] ~ qlogis(pmin(pmax(risk, 1e-12), 1 - 1e-12)), family = binomial)); suppressWarnings(loess(y[cohort] ~ risk))
        vapply(0:99 / 100, function(t) mean(risk >= t & y[cohort] == 1) - mean(risk >= t & y[cohort] == 0) * t / (1 - t), 0)
        curve
      })
      for (m in 1:9) roc.test(curves[[10]], curves[[m]])
    }
  },
  `cross-fitting` = function() {
    folds <- stratified(y[rows], 10)
    mclapply(1:10, function(fold) {
      own <- rows[folds != fold]
      data <- cbind(clinical, both_scores(own), alnm = y)
      vapply(models, function(variables) predict(logistic(data, variables, own), data[rows[folds == fold], ], type = "response"), numeric(sum(folds == fold)))
    }, mc.cores = cores)
  },
  bootstrap = function() mclapply(models, function(variables) {
    x <- cbind(1, as.matrix(data[rows, variables, drop = FALSE])); outcome <- y[rows]
    area <- function(y, risk) { ranks <- rank(risk); n1 <- sum(y); (sum(ranks[y == 1]) - n1 * (n1 + 1) / 2) / (n1 * (length(y) - n1)) }
    replicate(500, {
      drawn <- c(sample(which(outcome == 1), replace = TRUE), sample(which(outcome == 0), replace = TRUE))
      fit <- suppressWarnings(glm.fit(x[drawn, ], outcome[drawn], family = binomial()))
      risk <- as.vector(x %*% fit$coefficients)
      area(outcome[drawn], risk[drawn]) - area(outcome, risk)
    })
  }, mc.cores = cores),
  stability = function() mclapply(1:stability_resamples, function(resample) {
    drawn <- c(sample(rows[y[rows] == 1], replace = TRUE), sample(rows[y[rows] == 0], replace = TRUE))
    both_scores(drawn)
  }, mc.cores = cores)
)
stability_resamples <- if (length(arguments) > 2) as.integer(arguments[3]) else 100
cat(system.time(work[[step]]())[["elapsed"]], "\n")

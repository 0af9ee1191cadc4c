# Every number of a run's tables recomputed in R from the run's own CSV files and the cohort's table, and compared with what is printed.
#
#   Rscript examples/scripts/recompute_tables.R OUT [COHORT]
#
# OUT is the output folder of reproduce_study, COHORT the cohort folder (default OUT/cohort). Packages: MASS, pROC, glmnet, jsonlite.
# A number agrees when the recomputed value rounds to what is printed (half a unit of the last printed place, and 1e-6 of the value for
# what optimisers leave). The script ends with status 1 when one does not.

suppressPackageStartupMessages({ library(pROC); library(jsonlite) })
arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) < 1) stop("name the output folder of a run")
out <- arguments[1]
cohort_folder <- if (length(arguments) > 1) arguments[2] else file.path(out, "cohort")
# A table as readers see it, from its Markdown file: printed numbers are what is checked. Tables without one are files alone.
printed_table <- function(path) {
  lines <- grep("^\\|", readLines(path, encoding = "UTF-8"), value = TRUE)
  cells <- lapply(strsplit(gsub("\\\\\\|", "\u0001", lines), " *\\| *"), function(line) gsub("\u0001", "|", line[-1]))
  width <- length(cells[[1]])
  rows <- lapply(cells[-(1:2)], function(row) c(row, rep("", max(0, width - length(row)))))
  # Blanks before the name of a level say that it is one.
  first <- sub("^\\| ?", "", sub("^(\\| ?[^|]*?) *\\|.*", "\\1", lines[-(1:2)], perl = TRUE))
  frame <- as.data.frame(do.call(rbind, rows), stringsAsFactors = FALSE)
  names(frame) <- cells[[1]]
  if (nrow(frame) > 0) frame[[1]] <- gsub("\\\\\\|", "|", first)
  frame
}
table_file <- function(name) {
  printed <- file.path(out, "tables", paste0(name, ".md"))
  if (file.exists(printed)) return(printed_table(printed))
  read.csv(file.path(out, "tables", paste0(name, ".csv")), check.names = FALSE, colClasses = "character")
}
has_table <- function(name) file.exists(file.path(out, "tables", paste0(name, ".csv")))

# --- Comparison of printed numbers ---------------------------------------------------------------------------------------------------

agreement <- list()
failures <- character()
numbers_in <- function(text) {
  # A range's hyphen is not a sign here: cells hold numbers separated by blanks, brackets, commas and semicolons.
  regmatches(text, gregexpr("<?-?[0-9]+(\\.[0-9]+)?", text))[[1]]
}
# An end of an interval beyond this is printed as the word "unbounded".
unbounded <- 1e5
check <- function(table, where, printed, values) {
  cells <- numbers_in(printed)
  values <- values[!is.na(values)]
  words <- lengths(regmatches(printed, gregexpr("unbounded", printed)))
  is_beyond <- abs(values) >= unbounded
  if (words > 0 && sum(is_beyond) == words) values <- values[!is_beyond]
  if (length(cells) != length(values)) {
    failures <<- c(failures, sprintf("%s, %s: %d numbers printed in `%s`, %d recomputed", table, where, length(cells), printed, length(values)))
    return(invisible())
  }
  for (i in seq_along(cells)) {
    is_bound <- startsWith(cells[i], "<")
    shown <- as.numeric(sub("<", "", cells[i]))
    places <- if (grepl("\\.", cells[i])) nchar(sub(".*\\.", "", cells[i])) else 0
    unit <- 10^-places
    if (is_bound) { excess <- max(0, values[i] - shown) / unit; fits <- values[i] < shown }
    else { excess <- abs(values[i] - shown) / unit; fits <- abs(values[i] - shown) <= 0.5 * unit + 1e-6 * max(1, abs(values[i])) }
    row <- agreement[[table]]
    if (is.null(row)) row <- c(0, 0, 0)
    agreement[[table]] <<- c(row[1] + 1, row[2] + fits, max(row[3], excess))
    if (!fits) failures <<- c(failures, sprintf("%s, %s: printed %s, recomputed %.8g", table, where, cells[i], values[i]))
  }
}

# --- The run's data --------------------------------------------------------------------------------------------------------------------

patients <- read.csv(file.path(cohort_folder, "patients.csv"), check.names = FALSE)
scores <- table_file("scores")
outcomes <- setNames(as.integer(scores$alnm), scores$patient)
excluded <- nrow(patients) - nrow(scores)
flow <- table_file("patient_flow")
patients <- patients[match(scores$patient, patients$patient), ]
# Outcomes are those of the run, which may have been shuffled.
patients$alnm <- outcomes
results <- fromJSON(file.path(out, "results.json"), simplifyVector = FALSE)
validation_centres <- vapply(results$validation, function(one) one$cohort, "")
training_centre <- setdiff(unique(patients$centre), validation_centres)
stopifnot(length(training_centre) == 1)
data <- data.frame(
  patient = patients$patient, centre = patients$centre, alnm = patients$alnm, age = patients$age_years, MTD = patients$mtd_cm,
  SAD_ALN = patients$sad_aln_cm, NLR = patients$neutrophils / patients$lymphocytes, PLR = patients$platelets / patients$lymphocytes,
  MLR = patients$monocytes / patients$lymphocytes, WLR = patients$wbc / patients$lymphocytes,
  SII = patients$neutrophils * patients$platelets / patients$lymphocytes
)

# Scores from features and weights.
for (kind in c("radiomic", "deep")) {
  features <- table_file(paste0("features_", kind))
  weights <- read.csv(file.path(out, "tables", paste0("selected_", kind, ".csv")), check.names = FALSE, colClasses = "character")
  score <- c(radiomic = "RadScore", deep = "DLScore")[[kind]]
  intercept <- fromJSON(file.path(out, c(radiomic = "radscore.json", deep = "dlscore.json")[[kind]]))$value$signature$intercept
  chosen <- as.matrix(data.frame(lapply(features[weights$feature], as.numeric)))
  recomputed <- intercept + as.vector(chosen %*% as.numeric(weights$weight))
  printed <- as.numeric(scores[[score]])
  difference <- max(abs(recomputed - printed) / pmax(1, abs(printed)))
  agreement[["scores.csv (all digits)"]] <- local({
    row <- agreement[["scores.csv (all digits)"]]; if (is.null(row)) row <- c(0, 0, 0)
    c(row[1] + length(printed), row[2] + sum(abs(recomputed - printed) <= 1e-9 * pmax(1, abs(printed))), max(row[3], difference))
  })
  if (difference > 1e-9) failures <- c(failures, sprintf("%s: scores differ by %g", score, difference))
  data[[score]] <- recomputed
}
training <- data[data$centre == training_centre, ]
training_patients <- patients[patients$centre == training_centre, ]

# --- Patient flow ------------------------------------------------------------------------------------------------------------------------

# Who was left out for which reason is known to the run alone; the reasons have to add up.
is_reason <- startsWith(flow$group, "excluded, ")
if (any(is_reason)) check("patient_flow", "all reasons", flow$patients[flow$group == "excluded"], sum(as.integer(flow$patients[is_reason])))
for (i in which(!is_reason)) {
  group <- flow$group[i]
  centre <- sub(", with metastasis$", "", sub("^(training|validation), centre ", "", group))
  of_centre <- data$centre == centre
  value <- if (group == "patients in the table") nrow(data) + excluded
    else if (group == "excluded") excluded
    else if (grepl("with metastasis$", group)) sum(data$alnm[of_centre]) else sum(of_centre)
  check("patient_flow", group, flow$patients[i], value)
}

# --- Table 1 -------------------------------------------------------------------------------------------------------------------------------

quartiles <- function(x) as.vector(quantile(x, c(0.5, 0.25, 0.75), type = 7))
# A baseline table of some patients by two groups: the outcome, or which centre they come from.
check_baseline <- function(file, rows, event) {
  printed <- table_file(file)
  names(printed)[2:4] <- c("overall", "first", "second")
  own <- data[rows, ]
  own_patients <- patients[rows, ]
  level <- NULL
  for (i in seq_len(nrow(printed))) {
    label <- printed$variable[i]
    name <- sub(" \\(.*", "", label)
    if (startsWith(label, "  ")) {
      member <- level$values == trimws(label)
      shares <- function(keep) c(sum(member[keep]), 100 * mean(member[keep]))
      all <- rep(TRUE, length(member))
      check(file, label, printed$overall[i], shares(all))
      check(file, label, printed$first[i], shares(!event))
      check(file, label, printed$second[i], shares(event))
      next
    }
    if (name %in% names(own)) {
      x <- own[[name]]
      normal <- min(shapiro.test(x[event])$p.value, shapiro.test(x[!event])$p.value) >= 0.05
      summary_of <- if (normal) function(v) c(mean(v), sd(v)) else quartiles
      if (normal) { test <- t.test(x[!event], x[event]); statistic <- unname(test$statistic); p <- test$p.value }
      else {
        p <- suppressWarnings(wilcox.test(x[!event], x[event])$p.value)
        # The standardised rank sum without continuity correction.
        n0 <- sum(!event); n1 <- sum(event); ranks <- rank(x); ties <- table(x)
        variance <- n0 * n1 / 12 * ((n0 + n1 + 1) - sum(ties^3 - ties) / ((n0 + n1) * (n0 + n1 - 1)))
        statistic <- (sum(ranks[!event]) - n0 * (n0 + n1 + 1) / 2) / sqrt(variance)
      }
      expected_test <- if (normal) "t" else "Mann-Whitney"
      check(file, label, printed$overall[i], summary_of(x))
      check(file, label, printed$first[i], summary_of(x[!event]))
      check(file, label, printed$second[i], summary_of(x[event]))
    } else {
      columns <- c(PR = "pr", ER = "er", HER2 = "her2", "Ki-67" = "ki67", subtype = "subtype")
      values <- own_patients[[columns[[name]]]]
      levels <- if (name == "subtype") c("HER2+", "Luminal A", "Luminal B", "TNBC") else c("-", "+")
      if (name != "subtype") values <- ifelse(values == 1, "+", "-")
      level <- list(values = values)
      counts <- table(factor(values, levels), factor(as.integer(event), 0:1))
      check(file, label, gsub(" / ", " ", printed$overall[i]), as.vector(rowSums(counts)))
      check(file, label, gsub(" / ", " ", printed$first[i]), as.vector(counts[, 1]))
      check(file, label, gsub(" / ", " ", printed$second[i]), as.vector(counts[, 2]))
      counts <- counts[rowSums(counts) > 0, , drop = FALSE]
      smallest <- min(outer(rowSums(counts), colSums(counts)) / sum(counts))
      if (nrow(counts) < 2) { expected_test <- printed$test[i]; statistic <- NA; p <- NA }
      else if (smallest < 5) { expected_test <- "Fisher"; statistic <- NA; p <- fisher.test(counts, workspace = 2e7)$p.value }
      else { test <- chisq.test(counts, correct = FALSE); expected_test <- "chi-squared"; statistic <- unname(test$statistic); p <- test$p.value }
    }
    if (printed$test[i] != expected_test) failures <<- c(failures, sprintf("%s, %s: %s where %s is expected", file, label, printed$test[i], expected_test))
    check(file, paste(label, "statistic"), printed$statistic[i], statistic)
    check(file, paste(label, "p"), printed$p[i], p)
  }
}
check_baseline("table1", which(data$centre == training_centre), training$alnm == 1)
for (centre in validation_centres) {
  rows <- which(data$centre == centre)
  check_baseline(paste0("table1_", gsub("[ ,]", "_", centre)), rows, data$alnm[rows] == 1)
}
if (has_table("table1_centres")) check_baseline("table1_centres", seq_len(nrow(data)), data$centre != training_centre)

# --- Table 2: univariate logistic regressions with profile-likelihood intervals -------------------------------------------------------------

logistic <- function(x, y) suppressWarnings(glm.fit(cbind(1, x), y, family = binomial(), control = list(epsilon = 1e-14, maxit = 100)))
profile_bound <- function(x, y, fit, side) {
  # The slope at which the deviance, minimised over the intercept, has risen by the 95 % quantile of chi-squared.
  rise <- function(slope) {
    fixed <- suppressWarnings(glm.fit(matrix(1, length(y)), y, offset = slope * x, family = binomial(), control = list(epsilon = 1e-14, maxit = 100)))
    fixed$deviance - fit$deviance - qchisq(0.95, 1)
  }
  slope <- fit$coefficients[2]
  step <- sqrt(diag(chol2inv(fit$qr$qr[1:2, 1:2, drop = FALSE])))[2]
  edge <- slope + side * step
  while (rise(edge) < 0 && abs(edge - slope) < 60 * step) edge <- edge + side * step
  uniroot(rise, sort(c(slope, edge)), tol = 1e-12)$root
}
table2 <- table_file("table2")
for (i in seq_len(nrow(table2))) {
  name <- table2$variable[i]
  x <- training[[name]] / if (table2$unit[i] == "per mm") 0.1 else 1
  fit <- logistic(x, training$alnm)
  slope <- unname(fit$coefficients[2])
  error <- sqrt(diag(chol2inv(fit$qr$qr[1:2, 1:2, drop = FALSE])))[2]
  bounds <- c(profile_bound(x, training$alnm, fit, -1), profile_bound(x, training$alnm, fit, 1))
  check("table2", name, table2[i, 3], exp(c(slope, bounds)))
  check("table2", paste(name, "Wald p"), table2[i, "Wald p"], 2 * pnorm(-abs(slope / error)))
  check("table2", paste(name, "likelihood ratio p"), table2[i, "likelihood ratio p"], pchisq(fit$null.deviance - fit$deviance, 1, lower.tail = FALSE))
}

# --- The ten models: fitted anew, their risks compared -----------------------------------------------------------------------------------------

risks <- table_file("risks")
models <- lapply(results$models$models, function(one) list(name = one$specification$name, variables = unlist(one$specification$variables)))
penalised <- if (has_table("penalised_models")) table_file("penalised_models")$model else character()
firth <- function(design, y) {
  # Newton's method on Firth's modified score, steps halved until the penalised likelihood rises.
  beta <- rep(0, ncol(design))
  penalised_likelihood <- function(b) {
    p <- plogis(design %*% b)
    sum(y * plogis(design %*% b, log.p = TRUE) + (1 - y) * plogis(-(design %*% b), log.p = TRUE)) +
      0.5 * as.numeric(determinant(crossprod(design * sqrt(as.vector(p * (1 - p)))))$modulus)
  }
  for (iteration in 1:2000) {
    p <- as.vector(plogis(design %*% beta))
    half <- design * sqrt(p * (1 - p))
    covariance <- solve(crossprod(half))
    hat <- rowSums((half %*% covariance) * half)
    step <- as.vector(covariance %*% crossprod(design, y - p + hat * (0.5 - p)))
    if (max(abs(step)) < 1e-12) break
    while (penalised_likelihood(beta + step) < penalised_likelihood(beta) - 1e-13 && max(abs(step)) > 1e-13) step <- step / 2
    beta <- beta + step
  }
  beta
}
compare_risks <- function(cohort, keep) {
  printed <- risks[risks$cohort == cohort, ]
  for (model in models) {
    # Standardised columns: the same risks, better conditioned.
    standard <- function(rows) scale(as.matrix(rows[model$variables]), colMeans(training[model$variables]), apply(training[model$variables], 2, sd))
    design <- cbind(1, standard(training))
    is_penalised <- model$name %in% penalised
    beta <- if (is_penalised) firth(design, training$alnm) else logistic(standard(training), training$alnm)$coefficients
    recomputed <- as.vector(plogis(cbind(1, standard(data[keep, ])) %*% beta))
    # Firth's penalty is not the same after scaling of columns by a constant: the determinant changes by a constant factor only.
    difference <- abs(recomputed - as.numeric(printed[[model$name]]))
    label <- "risks.csv (1e-6)"
    row <- agreement[[label]]; if (is.null(row)) row <- c(0, 0, 0)
    agreement[[label]] <<- c(row[1] + length(difference), row[2] + sum(difference <= 1e-6), max(row[3], difference))
    if (max(difference) > 1e-6) failures <<- c(failures, sprintf("risks of %s in %s differ by %g", model$name, cohort, max(difference)))
  }
}
compare_risks("training", data$centre == training_centre)
for (centre in validation_centres) compare_risks(centre, data$centre == centre)

# --- Table 3 ---------------------------------------------------------------------------------------------------------------------------------

placements <- function(y, risk) {
  # DeLong's structural components.
  x <- risk[y == 1]; z <- risk[y == 0]
  score <- function(a, b) mean((a > b) + 0.5 * (a == b))
  list(positive = vapply(x, function(a) score(a, z), 0), negative = vapply(z, function(b) score(x, b), 0))
}
delong_variance <- function(a, b) cov(a$positive, b$positive) / length(a$positive) + cov(a$negative, b$negative) / length(a$negative)
area_with_interval <- function(y, risk) {
  curve <- roc(y, risk, levels = c(0, 1), direction = "<", quiet = TRUE)
  part <- placements(y, risk)
  error <- sqrt(delong_variance(part, part))
  area <- mean(part$positive)
  stopifnot(abs(area - as.numeric(auc(curve))) < 1e-12)
  if (is.na(error)) area else c(area, max(0, area - qnorm(0.975) * error), min(1, area + qnorm(0.975) * error))
}
youden <- function(y, risk) {
  values <- sort(unique(risk))
  cutoffs <- c(-Inf, (head(values, -1) + tail(values, -1)) / 2, Inf)
  sums <- vapply(cutoffs, function(cutoff) sum(risk[y == 1] > cutoff) / sum(y == 1) + sum(risk[y == 0] <= cutoff) / sum(y == 0), 0)
  cutoffs[which(sums == max(sums))[1]]
}
clopper_pearson <- function(k, n) if (n == 0) NA else c(k / n, binom.test(k, n)$conf.int)
wilson <- function(k, n) if (n == 0) NA else c(k / n, prop.test(k, n, correct = FALSE)$conf.int)
at_cutoff <- function(y, risk, cutoff, interval) {
  called <- risk > cutoff
  tp <- sum(called & y == 1); fp <- sum(called & y == 0); fn <- sum(!called & y == 1); tn <- sum(!called & y == 0)
  list(sensitivity = interval(tp, tp + fn), specificity = interval(tn, tn + fp), accuracy = interval(tp + tn, length(y)),
       PPV = interval(tp, tp + fp), NPV = interval(tn, tn + fn), F1 = if (2 * tp + fp + fn == 0) NA else 2 * tp / (2 * tp + fp + fn))
}
cohort_of <- function(name) {
  rows <- risks[risks$cohort == name, ]
  c(list(y = as.integer(rows$alnm), patient = rows$patient), lapply(rows[vapply(models, `[[`, "", "name")], as.numeric))
}
training_cutoffs <- local({
  own <- cohort_of("training")
  vapply(models, function(model) youden(own$y, own[[model$name]]), 0)
})
names(training_cutoffs) <- vapply(models, `[[`, "", "name")
cohorts <- c("training", "training, cross-fitted", validation_centres)
for (cohort in cohorts) {
  file <- paste0("table3_", gsub("[ ,]", "_", cohort))
  own <- cohort_of(cohort)
  for (table in c(file, paste0(file, "_own_cutoff"))) {
    table3 <- table_file(table)
    first <- which(names(table3) == "cutoff")
    for (i in seq_len(nrow(table3))) {
      model <- table3$model[i]
      risk <- own[[model]]
      if (table == file) {
        check(table, paste(model, "AUC"), table3[i, 2], area_with_interval(own$y, risk))
        check(table, paste(model, "Brier"), table3[i, "Brier"], mean((risk - own$y)^2))
      }
      cutoff <- if (table == file) training_cutoffs[[model]] else youden(own$y, risk)
      metrics <- at_cutoff(own$y, risk, cutoff, clopper_pearson)
      if (is.finite(cutoff)) check(table, paste(model, "cutoff"), table3[i, first], cutoff)
      for (m in seq_along(metrics)) check(table, paste(model, names(metrics)[m]), table3[i, first + m], metrics[[m]])
    }
  }
}

# --- Optimism, DeLong's tests, calibration, net benefit -------------------------------------------------------------------------------------------

area <- function(cohort, model) { own <- cohort_of(cohort); area_with_interval(own$y, own[[model]])[1] }
optimism <- table_file("optimism")
for (i in seq_len(nrow(optimism))) {
  model <- optimism$model[i]
  values <- c(training = area("training", model), "cross-fitted" = area("training, cross-fitted", model))
  for (column in names(values)) check("optimism", paste(model, column), optimism[i, column], values[[column]])
  check("optimism", paste(model, "optimism"), optimism[i, "optimism of training"], values[[1]] - values[[2]])
  for (centre in validation_centres) check("optimism", paste(model, centre), optimism[i, centre], area(centre, model))
}
delong <- table_file("delong")
for (i in seq_len(nrow(delong))) {
  own <- cohort_of(delong$cohort[i])
  other <- placements(own$y, own[[delong$model[i]]])
  reference <- placements(own$y, own[["Integrated"]])
  difference <- mean(other$positive) - mean(reference$positive)
  z <- difference / sqrt(delong_variance(other, other) + delong_variance(reference, reference) - 2 * delong_variance(other, reference))
  where <- paste(delong$cohort[i], delong$model[i])
  error <- sqrt(delong_variance(other, other) + delong_variance(reference, reference) - 2 * delong_variance(other, reference))
  check("delong", where, delong[i, 3], difference + c(0, -1, 1) * qnorm(0.975) * error)
  check("delong", paste(where, "Z"), delong$Z[i], z)
  check("delong", paste(where, "p"), delong$p[i], 2 * pnorm(-abs(z)))
  delong$exact[i] <- 2 * pnorm(-abs(z))
}
for (cohort in unique(delong$cohort)) {
  rows <- which(delong$cohort == cohort)
  adjusted <- p.adjust(delong$exact[rows], "holm")
  for (i in seq_along(rows)) check("delong", paste(cohort, delong$model[rows[i]], "adjusted p"), delong[rows[i], "p adjusted (Holm)"], adjusted[i])
}
calibration <- table_file("calibration")
for (i in seq_len(nrow(calibration))) {
  own <- cohort_of(calibration$cohort[i])
  risk <- own[[calibration$model[i]]]
  where <- paste(calibration$cohort[i], calibration$model[i])
  breaks <- unique(quantile(risk, seq(0, 1, 0.1), type = 7))
  group <- cut(risk, breaks, include.lowest = TRUE)
  n <- as.vector(table(group)); observed <- as.vector(tapply(own$y, group, sum, default = 0)); expected <- as.vector(tapply(risk, group, sum, default = 0))
  statistic <- sum((observed - expected)^2 / expected + (observed - expected)^2 / (n - expected))
  if (calibration[i, 3] != "undefined") {
    check("calibration", paste(where, "chi-squared"), calibration[i, 3], statistic)
    check("calibration", paste(where, "p"), calibration[i, 4], pchisq(statistic, sum(n > 0) - 2, lower.tail = FALSE))
  }
  if (calibration[i, "slope"] != "undefined") {
    wald <- function(fit, place) coef(fit)[place] + c(0, -1, 1) * qnorm(0.975) * sqrt(diag(vcov(fit)))[place]
    exactly <- list(epsilon = 1e-14, maxit = 100)
    fit <- suppressWarnings(glm(own$y ~ qlogis(risk), family = binomial, control = exactly))
    large <- suppressWarnings(glm(own$y ~ offset(qlogis(risk)), family = binomial, control = exactly))
    check("calibration", paste(where, "in the large"), calibration[i, "in the large"], unname(wald(large, 1)))
    check("calibration", paste(where, "intercept"), calibration[i, "intercept"], unname(wald(fit, 1)))
    check("calibration", paste(where, "slope"), calibration[i, "slope"], unname(wald(fit, 2)))
  }
  if (calibration$ICI[i] != "undefined") {
    # A local fit at every point, as the study's; R's default interpolates between a few.
    smooth <- suppressWarnings(fitted(loess(own$y ~ risk, control = loess.control(surface = "direct"))))
    check("calibration", paste(where, "ICI"), calibration$ICI[i], mean(abs(smooth - risk)))
  }
}
net_benefit <- table_file("net_benefit")
for (i in seq_len(nrow(net_benefit))) {
  own <- cohort_of(net_benefit$cohort[i])
  is_for_all <- net_benefit$model[i] == "treat all"
  risk <- if (is_for_all) rep(1, length(own$y)) else own[[net_benefit$model[i]]]
  for (threshold in c(0.1, 0.2, 0.3, 0.4, 0.5)) {
    treated <- risk >= threshold
    value <- sum(treated & own$y == 1) / length(risk) - sum(treated & own$y == 0) / length(risk) * threshold / (1 - threshold)
    check("net_benefit", paste(net_benefit$cohort[i], net_benefit$model[i], threshold), sub(" \\(.*", "", net_benefit[i, paste("at", threshold)]), value)
  }
}

# --- Subgroups, sample size, other tables of areas -----------------------------------------------------------------------------------------------

subgroups <- table_file("subgroups")
for (i in seq_len(nrow(subgroups))) {
  own <- cohort_of(subgroups$cohort[i])
  rows <- match(own$patient, patients$patient)
  age <- patients$age_years[rows]
  member <- if (subgroups$by[i] == "subtype") patients$subtype[rows] else ifelse(age < 40, "18 to 39", ifelse(age < 50, "40 to 49", "50 and over"))
  keep <- member == subgroups$subgroup[i]
  y <- own$y[keep]; risk <- own$Integrated[keep]
  where <- paste(subgroups$cohort[i], subgroups$subgroup[i])
  check("subgroups", paste(where, "patients"), subgroups$patients[i], length(y))
  check("subgroups", paste(where, "events"), subgroups[i, "with metastasis"], sum(y))
  check("subgroups", paste(where, "mean risk"), subgroups[i, "mean risk"], mean(risk))
  if (min(sum(y), sum(1 - y)) < 10) next
  if (length(unique(y)) == 2) check("subgroups", paste(where, "AUC"), subgroups[i, "AUC"], area_with_interval(y, risk))
  metrics <- at_cutoff(y, risk, training_cutoffs[["Integrated"]], wilson)
  check("subgroups", paste(where, "sensitivity"), subgroups$sensitivity[i], metrics$sensitivity)
  check("subgroups", paste(where, "specificity"), subgroups$specificity[i], metrics$specificity)
}
sample_size <- table_file("sample_size")
local({
  integrated <- models[[which(vapply(models, `[[`, "", "name") == "Integrated")]]
  y <- training$alnm; n <- length(y); events <- sum(y)
  risk <- cohort_of("training")$Integrated
  likelihood <- function(p) sum(ifelse(y == 1, log(p), log1p(-p)))
  r2 <- 1 - exp(-2 * (likelihood(risk) - likelihood(rep(mean(y), n))) / n)
  largest <- 1 - exp(2 * likelihood(rep(mean(y), n)) / n)
  candidates <- 10
  for_shrinkage <- candidates / ((0.9 - 1) * log(1 - r2 / 0.9))
  shrinkage <- r2 / (r2 + 0.05 * largest)
  values <- list(n, events, length(integrated$variables), min(events, n - events) / length(integrated$variables), ceiling(for_shrinkage),
                 ceiling(candidates / ((shrinkage - 1) * log(1 - r2 / shrinkage))), ceiling((qnorm(0.975) / 0.05)^2 * mean(y) * (1 - mean(y))))
  for (i in seq_along(values)) if (sample_size$value[i] != "undefined") check("sample_size", sample_size$quantity[i], sample_size$value[i], values[[i]])
})
alternatives <- table_file("alternatives")
for (cohort in c("training", validation_centres)) {
  own <- cohort_of(cohort)
  column <- if (cohort == "training") "training, apparent" else cohort
  check("alternatives (logistic regression)", cohort, alternatives[alternatives$model == "logistic regression", column], area_with_interval(own$y, own$Integrated))
}
if (has_table("harmonisation")) {
  harmonisation <- table_file("harmonisation")
  for (i in which(harmonisation$features == "as they are")) for (cohort in cohorts) {
    own <- cohort_of(cohort)
    column <- if (cohort == "training") "training, apparent" else cohort
    check("harmonisation (as they are)", paste(cohort, harmonisation$model[i]), harmonisation[i, column], area_with_interval(own$y, own[[harmonisation$model[i]]]))
  }
}

# --- The integrated model written out ------------------------------------------------------------------------------------------------------------

integrated <- Filter(function(one) one$name == "Integrated", models)[[1]]
written <- table_file("integrated_model")
if (!any(grepl("pooled", readLines(file.path(out, "tables", "integrated_model.md"), n = 1)))) {
  # On standardised columns, then brought back to the variables' own scales.
  centres <- colMeans(training[integrated$variables])
  scales <- apply(training[integrated$variables], 2, sd)
  design <- cbind(1, scale(as.matrix(training[integrated$variables]), centres, scales))
  beta <- if ("Integrated" %in% penalised) firth(design, training$alnm) else logistic(design[, -1], training$alnm)$coefficients
  weights <- as.vector(plogis(design %*% beta) * plogis(-(design %*% beta)))
  back <- rbind(c(1, -centres / scales), cbind(0, diag(1 / scales)))
  covariance <- back %*% solve(crossprod(design * sqrt(weights))) %*% t(back)
  estimates <- setNames(as.vector(back %*% beta), c("intercept", integrated$variables))
  errors <- setNames(sqrt(diag(covariance)), names(estimates))
  for (i in seq_len(nrow(written))) {
    name <- written$variable[i]
    check("integrated_model", paste(name, "coefficient"), written$coefficient[i], estimates[[name]])
    check("integrated_model", paste(name, "standard error"), written[["standard error"]][i], errors[[name]])
    if (name != "intercept") check("integrated_model", name, written[["OR (95 % CI)"]][i],
      exp(estimates[[name]] + c(0, -1, 1) * qnorm(0.975) * errors[[name]]))
    check("integrated_model", paste(name, "p"), written$p[i], 2 * pnorm(-abs(estimates[[name]] / errors[[name]])))
  }
}

# --- Bootstrap correction: other random numbers, so that it agrees within the noise of both ----------------------------------------------------------

set.seed(1)
resamples <- 200
bootstrap <- lapply(seq_along(models), function(m) {
  model <- models[[m]]
  if (model$name %in% penalised) return(NULL)
  x <- as.matrix(training[model$variables]); y <- training$alnm
  fast_area <- function(y, risk) { ranks <- rank(risk); n1 <- sum(y); (sum(ranks[y == 1]) - n1 * (n1 + 1) / 2) / (n1 * (length(y) - n1)) }
  optimism_of <- function() {
    rows <- c(sample(which(y == 1), replace = TRUE), sample(which(y == 0), replace = TRUE))
    fit <- suppressWarnings(glm.fit(cbind(1, x[rows, , drop = FALSE]), y[rows], family = binomial()))
    risk <- as.vector(cbind(1, x) %*% fit$coefficients)
    fast_area(y[rows], risk[rows]) - fast_area(y, risk)
  }
  values <- replicate(resamples, optimism_of())
  printed <- as.numeric(optimism[match(model$name, optimism$model), 3])
  noise <- sd(values) * sqrt(1 / resamples + 1 / results$corrected_auc[[m]]$resamples)
  list(name = model$name, difference = abs(area("training", model$name) - mean(values) - printed), noise = noise)
})
bootstrap <- Filter(Negate(is.null), bootstrap)
for (one in bootstrap) if (one$difference > 4 * one$noise + 0.0005) failures <- c(failures,
  sprintf("bootstrap-corrected AUC of %s differs by %.4f, noise %.4f", one$name, one$difference, one$noise))
in_noise <- vapply(bootstrap, function(one) one$difference / one$noise, 0)

# --- What came out ------------------------------------------------------------------------------------------------------------------------------------

cat(sprintf("%-40s %8s %8s %s\n", "table", "numbers", "agree", "largest difference (units of the last printed place; scores, risks: as they are)"))
for (name in names(agreement)) cat(sprintf("%-40s %8d %8d %.3g\n", name, agreement[[name]][1], agreement[[name]][2], agreement[[name]][3]))
totals <- Reduce(`+`, agreement)
cat(sprintf("%-40s %8d %8d\n", "all", totals[1], totals[2]))
cat(sprintf("bootstrap-corrected AUC by %d other resamples: %d models, largest difference %.1f standard errors (bar 4)\n", resamples,
            length(bootstrap), max(in_noise)))
cat("not recomputed: the selections and what cross-fitting fits inside the folds (their risks are taken from risks.csv), agreement of the readers,\n",
    "stability of the selections, ridge, boosting, ComBat, other networks\n", sep = "")
if (length(failures) > 0) {
  cat(length(failures), "failures:\n", paste(" ", head(failures, 40), collapse = "\n"), "\n")
  quit(status = 1)
}

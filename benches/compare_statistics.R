# The R side of compare_statistics.py: prints `name<TAB>seconds<TAB>package` a call, medians in-process.
suppressMessages({library(pROC); library(glmnet); library(psych); library(caret)})
arguments <- commandArgs(TRUE)
folder <- arguments[1]
only <- if (length(arguments) > 1) arguments[2] else ""
clock <- function(name, package, repeats, call, inner = 1) {
  if (!grepl(only, name, fixed = TRUE)) return(invisible())
  call()
  times <- numeric(repeats)
  for (i in seq_len(repeats)) {
    start <- proc.time()[["elapsed"]]
    for (j in seq_len(inner)) call()
    times[i] <- (proc.time()[["elapsed"]] - start) / inner
  }
  cat(sprintf("%s\t%.9g\t%s\n", name, median(times), package))
}
cohort <- read.csv(file.path(folder, "cohort.csv"))
y <- cohort$y
fold <- cohort$fold
X <- as.matrix(cohort[, -(1:2)])
large <- read.csv(file.path(folder, "large.csv"))
curve <- function(labels, scores) roc(labels, scores, levels = 0:1, direction = "<", quiet = TRUE)
first <- curve(y, X[, 1])
second <- curve(y, X[, 3])
clock("ROC and DeLong CI n=212", "pROC", 15, function() ci.auc(curve(y, X[, 1]), method = "delong"), 50)
clock("paired DeLong test n=212", "pROC", 15, function() roc.test(first, second, method = "delong", paired = TRUE), 20)
clock("ROC and DeLong CI n=100,000", "pROC", 7, function() ci.auc(curve(large$y, large$score), method = "delong"))
clock("2,000 stratified bootstraps of the AUC n=212", "pROC", 5, function() ci.auc(first, method = "bootstrap", boot.n = 2000, boot.stratified = TRUE, progress = "none"))
lasso <- function(columns, ...) function() cv.glmnet(X[, seq_len(columns)], y, family = "binomial", foldid = fold, ...)
clock("LASSO path n=212 p=926", "glmnet", 15, function() glmnet(X, y, family = "binomial"))
# How far glmnet's solutions are from the optimality conditions |gradient| <= lambda, with equality where a coefficient is not 0.
path <- glmnet(X, y, family = "binomial")
scaled <- scale(X) / sqrt(1 - 1 / nrow(X))
violation <- sapply(seq_along(path$lambda), function(k) {
  gradient <- drop(crossprod(scaled, y - predict(path, X, s = path$lambda[k], type = "response"))) / nrow(X)
  sign <- sign(path$beta[, k])
  max(ifelse(sign == 0, pmax(abs(gradient) - path$lambda[k], 0), abs(gradient - path$lambda[k] * sign))) / path$lambda[k]
})
message(sprintf("glmnet's path violates its optimality conditions by up to %.2g lambda, in the median %.2g", max(violation), median(violation)))
clock("cv.glmnet n=212 p=926 10 folds", "glmnet", 9, lasso(926))
for (precision in c("3e-2", "1e-2", "1e-9"))
  clock(sprintf("cv.glmnet n=212 p=926 10 folds, conditions to %s", precision), "glmnet, default precision", 9, lasso(926))
clock("cv.glmnet n=212 p=926 10 folds, AUC", "glmnet", 5, lasso(926, type.measure = "auc"))
clock("cv.glmnet n=212 p=60 10 folds", "glmnet", 9, lasso(60))
a <- as.matrix(read.csv(file.path(folder, "first.csv")))
b <- as.matrix(read.csv(file.path(folder, "second.csv")))
clock("ICC 926 features x 30 x 2", "psych, lmer = FALSE", 1, function() for (j in seq_len(ncol(a))) ICC(cbind(a[, j], b[, j]), lmer = FALSE))
R <- cor(X)
clock("Pearson matrix 212 x 926", "stats", 7, function() cor(X))
clock("Spearman matrix 212 x 926", "stats", 5, function() cor(X, method = "spearman"))
clock("findCorrelation p=926 fast", "caret", 5, function() findCorrelation(R, 0.6, exact = FALSE))
clock("findCorrelation p=926 exact", "caret", 1, function() findCorrelation(R, 0.6, exact = TRUE))
clock("926 rank sum tests n=212", "stats", 3, function() apply(X, 2, function(v) wilcox.test(v[y == 0], v[y == 1])$p.value))
four <- data.frame(y = y, X[, 1:4])
fit <- glm(y ~ ., binomial, four)
clock("logistic regression n=212 p=4", "stats", 15, function() glm(y ~ ., binomial, four), 20)
clock("its profile intervals", "MASS", 7, function() suppressMessages(confint(fit)))
subtype <- matrix(c(3, 10, 94, 5, 2, 7, 87, 4), 2, byrow = TRUE)
clock("Fisher's exact test 2 x 4", "stats", 15, function() fisher.test(subtype), 50)

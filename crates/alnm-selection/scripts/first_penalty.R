# glmnet's number of features at the first penalty of a path whose penalties are given, on the rows as they are and in four random orders.
#
#   Rscript crates/alnm-selection/scripts/first_penalty.R ../shared/reference/statistics      # glmnet 4.1-6 from Debian
suppressMessages(library(glmnet))
pack <- commandArgs(TRUE)[1]
for (name in c("n212p60", "n212p926", "tiny_sep", "imbalanced")) for (alpha in c(1, 0.5)) {
  data <- read.csv(file.path(pack, "inputs", sprintf("G_%s.csv", name)))
  X <- as.matrix(data[, -1])
  lambda <- glmnet(X, data$y, family = "binomial", alpha = alpha)$lambda
  first <- function(order) {
    path <- glmnet(X[order, ], data$y[order], family = "binomial", alpha = alpha, lambda = lambda, thresh = 1e-12, maxit = 1e7)
    c(path$df[1], max(abs(path$beta[, 1])))
  }
  runs <- sapply(1:5, function(run) { set.seed(run); first(if (run == 1) seq_len(nrow(X)) else sample(nrow(X))) })
  cat(sprintf("%-10s alpha %.1f  features: %s  largest coefficient %.0e\n", name, alpha, paste(runs[1, ], collapse = " "), max(runs[2, ])))
}

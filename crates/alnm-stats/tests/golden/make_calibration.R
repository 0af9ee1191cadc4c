# Golden values of smooth calibration with its band, calibration by centre, and sample sizes of external validations.
#   Rscript make_calibration.R PMVALSAMPSIZE
# in this folder, PMVALSAMPSIZE being the folder R of https://github.com/JoieEnsor/pmvalsampsize at commit a6f867b;
# writes calibration_cohort.csv, calibration_expected.csv, linear_predictors.csv
# R 4.2.2, Hmisc 4.8-0, pROC 1.18.0, pmvalsampsize 0.1.0
suppressMessages({library(Hmisc); library(pROC)})
set.seed(20260303)
n <- 180
x <- rnorm(n, -0.5, 1.2)
risk <- round(plogis(x), 4)
y <- rbinom(n, 1, plogis(0.3 + 0.7 * x))
centre <- sample(c("A", "B", "C", "D"), n, TRUE)
other <- round(plogis(0.8 * x + rnorm(n, 0, 0.6)), 4)
third <- round(plogis(rnorm(n)), 4)
write.csv(data.frame(risk, y, centre, other, third), "calibration_cohort.csv", row.names = FALSE, quote = FALSE)
out <- list()
put <- function(case, name, value) out[[length(out) + 1]] <<- data.frame(case, name, value = sprintf("%.17g", value))
# Covariance at the optimum; vcov uses the weights of the last iteration but one.
covariance <- function(f) { x <- model.matrix(f); p <- fitted(f); solve(crossprod(x * sqrt(p * (1 - p)))) }
grid <- seq(min(risk), max(risk), length.out = 11)
l <- qlogis(risk)
for (nk in 3:5) {
  knots <- attr(rcspline.eval(l, nk = nk), "knots")
  for (k in seq_len(nk)) put(paste0("rcs", nk), paste0("knot:", k - 1), knots[k])
  f <- glm(y ~ rcspline.eval(l, knots, inclx = TRUE), binomial, control = glm.control(epsilon = 1e-14, maxit = 100))
  b <- cbind(1, rcspline.eval(qlogis(grid), knots, inclx = TRUE))
  eta <- drop(b %*% coef(f)); se <- sqrt(rowSums((b %*% covariance(f)) * b))
  for (i in 1:11) { put(paste0("rcs", nk), paste0("observed:", i - 1), plogis(eta[i]))
    put(paste0("rcs", nk), paste0("lower:", i - 1), plogis(eta[i] - qnorm(0.975) * se[i]))
    put(paste0("rcs", nk), paste0("upper:", i - 1), plogis(eta[i] + qnorm(0.975) * se[i])) }
  put(paste0("rcs", nk), "ici", mean(abs(fitted(f) - risk)))
}
f <- loess(y ~ risk, degree = 2, control = loess.control(surface = "direct", statistics = "exact"))
p <- predict(f, data.frame(risk = grid), se = TRUE)
put("loess", "scale", p$residual.scale); put("loess", "df", p$df)
for (i in 1:11) { put("loess", paste0("observed:", i - 1), p$fit[i])
  put("loess", paste0("lower:", i - 1), p$fit[i] - qt(0.975, p$df) * p$se.fit[i])
  put("loess", paste0("upper:", i - 1), p$fit[i] + qt(0.975, p$df) * p$se.fit[i]) }
# Centres: glm and pROC in each, pooled by the formulas of DerSimonian and Laird.
est <- lapply(split(data.frame(y, l, risk), centre), function(d) {
  f <- glm(y ~ l, binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100))
  g <- glm(y ~ 1 + offset(l), binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100))
  r <- roc(d$y, d$risk, quiet = TRUE, direction = "<")
  a <- as.numeric(auc(r)); v <- var(r)
  c(coef(f)[[2]], sqrt(covariance(f)[2, 2]), coef(g)[[1]], sqrt(covariance(g)[1, 1]), qlogis(a), sqrt(v) / (a * (1 - a)))
})
est <- do.call(rbind, est)
pool <- function(name, e, s) {
  w <- 1 / s^2; k <- length(e); m <- sum(w * e) / sum(w); q <- sum(w * (e - m)^2)
  tau2 <- max(0, (q - (k - 1)) / (sum(w) - sum(w^2) / sum(w)))
  v <- 1 / (s^2 + tau2); mu <- sum(v * e) / sum(v); se <- sqrt(1 / sum(v))
  typical <- (k - 1) * sum(w) / (sum(w)^2 - sum(w^2))
  put(name, "estimate", mu); put(name, "se", se); put(name, "tau2", tau2); put(name, "i2", tau2 / (tau2 + typical))
  put(name, "prediction", mu + qt(0.975, k - 2) * sqrt(tau2 + se^2))
}
pool("slope", est[, 1], est[, 2]); pool("large", est[, 3], est[, 4]); pool("auc", est[, 5], est[, 6])
# All pairs of three markers, adjusted.
m <- list(roc(y, risk, quiet = TRUE, direction = "<"), roc(y, other, quiet = TRUE, direction = "<"),
          roc(y, third, quiet = TRUE, direction = "<"))
p <- c(roc.test(m[[1]], m[[2]])$p.value, roc.test(m[[1]], m[[3]])$p.value, roc.test(m[[2]], m[[3]])$p.value)
for (method in c("holm", "bonferroni", "BH")) for (i in 1:3)
  put(method, paste0("p:", i - 1), p.adjust(p, method)[i])
# Isotonic regression.
o <- order(risk); iso <- isoreg(risk[o], y[o])
# isoreg takes tied scores one by one; their means first.
u <- sort(unique(risk)); w <- as.numeric(table(risk)); means <- tapply(y, risk, mean)
pava <- function(v, w) { vals <- list(); for (i in seq_along(v)) { b <- c(v[i], w[i], 1)
  while (length(vals) > 0 && vals[[length(vals)]][1] >= b[1]) { a <- vals[[length(vals)]]; vals[[length(vals)]] <- NULL
    b <- c((a[1] * a[2] + b[1] * b[2]) / (a[2] + b[2]), a[2] + b[2], a[3] + b[3]) }
  vals[[length(vals) + 1]] <- b }; unlist(lapply(vals, function(b) rep(b[1], b[3]))) }
fit <- pava(as.numeric(means), w)
for (i in seq(1, length(u), by = 10)) put("isotonic", sprintf("%.17g", u[i]), fit[i])

dir <- commandArgs(TRUE)[1]
source(file.path(dir, "pmvalsampsize_errorcheck.R")); source(file.path(dir, "pmvalsampsize_bin.R"))
source(file.path(dir, "pmvalsampsize.R"))
size <- function(case, ...) {
  r <- suppressMessages(pmvalsampsize(type = "b", ...))
  for (k in rownames(r$results_table)) put(case, k, r$results_table[k, "Samp_size"])
}
size("heart_valve", prevalence = 0.018, cstatistic = 0.8, lpnormal = c(-5, 2.5), oeciwidth = 1)
size("heart_valve_1000", prevalence = 0.018, cstatistic = 0.8, lpnormal = c(-5, 2.5), oeciwidth = 1, simobs = 1000)
size("heart_valve_beta", prevalence = 0.018, cstatistic = 0.8, lpbeta = c(0.5, 0.5), oeciwidth = 1)
size("net_benefit", prevalence = 0.018, cstatistic = 0.8, lpnormal = c(-5, 2.5), oeciwidth = 1, sensitivity = 0.5,
     specificity = 0.5, threshold = 0.08)
size("net_benefit_threshold", prevalence = 0.43, cstatistic = 0.82, lpbeta = c(1.33, 1.75), threshold = 0.3)
size("cstat", prevalence = 0.018, cstatistic = 0.8, lpcstat = -4.7, oeciwidth = 1)
set.seed(123456)
write.table(sprintf("%.17g", rnorm(1000, -5, 2.5)), "linear_predictors.csv", row.names = FALSE, col.names = FALSE,
            quote = FALSE)
write.table(do.call(rbind, out), "calibration_expected.csv", sep = ",", row.names = FALSE, quote = FALSE)

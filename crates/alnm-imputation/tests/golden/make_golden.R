# What mice, mitml, nnet and stats say, for the tests of alnm-imputation. Run beside this file:
#
#   apt-get install r-base-core r-cran-mice r-cran-mitml r-cran-nnet r-cran-mass && Rscript make_golden.R
#
# Writes
#   pooling.csv    estimates and variances of analyses of completed tables, what mice::pool makes of them, and tests by D1
#   draws.csv      the linear and the logistic model of a variable, drawn with given random numbers, and a multinomial fit
#   nhanes.csv     nhanes of mice (25 rows, public data of Schafer 1997)
#   cohort.csv     212 invented patients of whom a fifth lack values at random
#   simulated.csv  coefficients pooled over 200 imputations by mice, with their variances, on both
suppressPackageStartupMessages({library(mice); library(mitml); library(nnet)})
version <- paste0("# ", R.version.string, ", mice ", packageVersion("mice"), ", mitml ", packageVersion("mitml"), ", nnet ",
                  packageVersion("nnet"))
number <- function(x) sprintf("%.17g", x)
row <- function(...) paste(..., sep = ",")

# Pooling. A name of a case, then the analyses, the pooled columns of mice, and D1 of all coefficients but the intercept.
pooling <- function(name, fits, dfcom) {
  pooled <- pool(as.mira(fits), dfcom = dfcom)$pooled
  lines <- row(name, "dfcom", if (is.null(dfcom)) df.residual(fits[[1]]) else dfcom)
  for (i in seq_along(fits)) {
    lines <- c(lines, row(name, "estimates", i, paste(number(coef(fits[[i]])), collapse = ",")),
               row(name, "covariance", i, paste(number(vcov(fits[[i]])), collapse = ",")))
  }
  columns <- c("estimate", "ubar", "b", "t", "df", "riv", "lambda", "fmi")
  for (j in seq_len(nrow(pooled))) {
    lines <- c(lines, row(name, "pooled", j, paste(number(unlist(pooled[j, columns])), collapse = ",")))
  }
  # Reiter's degrees of freedom are defined for k (m - 1) > 4; below, those without degrees of freedom of complete data count.
  tested <- seq_along(coef(fits[[1]]))[-1]
  df.com <- if (is.null(dfcom)) df.residual(fits[[1]]) else if (is.infinite(dfcom)) NULL else dfcom
  if (length(tested) * (length(fits) - 1) <= 4) df.com <- NULL
  estimates <- matrix(sapply(fits, function(f) coef(f)[tested]), nrow = length(tested))
  covariances <- array(sapply(fits, function(f) vcov(f)[tested, tested]), c(length(tested), length(tested), length(fits)))
  d1 <- mitml:::.D1(estimates, covariances, df.com)
  p <- pf(d1$F, d1$k, d1$v, lower.tail = FALSE)
  c(lines, row(name, "D1", paste(number(c(d1$F, d1$k, d1$v, p)), collapse = ",")))
}
five <- mice(nhanes, m = 5, seed = 3, printFlag = FALSE)
three <- mice(nhanes, m = 3, seed = 4, printFlag = FALSE)
fit <- function(imp, formula) lapply(seq_len(imp$m), function(i) lm(formula, complete(imp, i)))
writeLines(c(version, pooling("small", fit(five, chl ~ age + bmi), NULL), pooling("infinite", fit(five, chl ~ age + bmi), Inf),
             pooling("three", fit(three, bmi ~ age + hyp + chl), NULL), pooling("single", fit(three, bmi ~ chl), 23)),
           "pooling.csv")

# Draws. alnm takes the upper triangular root of the covariance in the order intercept, predictors; that is mice's lower
# triangular root when the columns stand in the reverse order.
set.seed(21)
n <- 60
x <- cbind(a = rnorm(n, 50, 10), b = rbinom(n, 1, 0.4), c = rexp(n))
y <- 3 + 0.1 * x[, 1] - x[, 2] + 0.5 * x[, 3] + rnorm(n)
ry <- seq_len(n) %% 4 != 0
turned <- cbind(x[, 3:1], 1)
set.seed(5)
drawn <- mice:::.norm.draw(y, ry, turned)
set.seed(5)
chi <- rchisq(1, sum(ry) - 4)
z <- rnorm(4)
lines <- c(version, row("x", seq_len(n), number(x[, 1]), number(x[, 2]), number(x[, 3])), row("y", seq_len(n), number(y), as.integer(ry)),
           row("norm chi", number(chi)), row("norm z", paste(number(rev(z)), collapse = ",")),
           row("norm coefficients", paste(number(rev(drawn$coef)), collapse = ",")),
           row("norm drawn", paste(number(rev(drawn$beta)), collapse = ",")), row("norm sigma", number(drawn$sigma)))
event <- as.numeric(y > 8 + 0.8 * rnorm(n))
augmented <- mice:::augment(event, ry, x, !ry)
use <- augmented$ry
fitted <- glm.fit(as.matrix(cbind(augmented$x[use, 3:1], 1)), augmented$y[use], weights = augmented$w[use],
                  family = quasibinomial(), control = glm.control(epsilon = 1e-14, maxit = 100))
class(fitted) <- c("glm", "lm")
root <- t(chol(mice:::sym(summary(fitted)$cov.unscaled)))
z <- rnorm(4)
lines <- c(lines, row("event", seq_len(n), event), row("logreg z", paste(number(rev(z)), collapse = ",")),
           row("logreg coefficients", paste(number(rev(coef(fitted))), collapse = ",")),
           row("logreg drawn", paste(number(rev(coef(fitted) + root %*% z)), collapse = ",")))
level <- as.numeric(cut(y + rnorm(n), c(-Inf, 7, 9, Inf)))
augmented <- mice:::augment(factor(level), ry, x, !ry)
use <- augmented$ry
frame <- data.frame(y = augmented$y, augmented$x)[use, ]
multi <- multinom(y ~ ., frame, weights = augmented$w[use], maxit = 5000, reltol = 1e-15, abstol = 1e-15, trace = FALSE)
lines <- c(lines, row("level", seq_len(n), level),
           row("polyreg coefficients", 1:2, apply(coef(multi), 1, function(b) paste(number(b), collapse = ","))))
writeLines(lines, "draws.csv")

# Whole imputations.
write.csv(nhanes, "nhanes.csv", row.names = FALSE, quote = FALSE, na = "NaN")
set.seed(77)
n <- 212
age <- round(rnorm(n, 52, 10))
size <- round(exp(rnorm(n, 0.7 + 0.008 * (age - 52), 0.4)), 2)
grade <- findInterval(0.7 * size + rlogis(n), c(0.5, 2.2)) + 1
subtype <- sapply(seq_len(n), function(i) sample(1:3, 1, prob = exp(c(0, 0.3 * grade[i] - 0.4, 0.2 * size[i] - 0.8))))
receptor <- rbinom(n, 1, plogis(1.4 - 0.5 * grade))
event <- rbinom(n, 1, plogis(-2.2 + 0.6 * size + 0.35 * grade - 0.02 * (age - 52) - 0.3 * receptor))
cohort <- data.frame(age, size, grade, subtype, receptor, event)
# Whether a value is missing hangs on age and event, which are complete.
for (j in c("size", "grade", "subtype", "receptor")) {
  cohort[runif(n) < plogis(-1.5 + 0.6 * event - 0.02 * (age - 52)), j] <- NA
}
write.csv(cohort, "cohort.csv", row.names = FALSE, quote = FALSE, na = "NaN")
pooled <- function(name, fits) {
  p <- pool(as.mira(fits))$pooled
  row(name, p$term, number(p$estimate), number(p$ubar), number(p$b))
}
people <- nhanes
people$hyp <- factor(people$hyp)
imp <- mice(people, m = 200, maxit = 10, seed = 1, printFlag = FALSE, method = c("", "pmm", "logreg", "norm"))
lines <- c(version, pooled("nhanes", lapply(1:200, function(i) {
  d <- complete(imp, i)
  d$hyp <- as.numeric(d$hyp)
  lm(chl ~ age + bmi + hyp, d)
})))
factors <- transform(cohort, grade = factor(grade, ordered = TRUE), subtype = factor(subtype), receptor = factor(receptor),
                     event = factor(event))
imp <- mice(factors, m = 200, maxit = 10, seed = 2, printFlag = FALSE)
stopifnot(identical(unname(imp$method[c("size", "grade", "subtype", "receptor")]), c("pmm", "polr", "polyreg", "logreg")))
lines <- c(lines, pooled("cohort", lapply(1:200, function(i) {
  d <- complete(imp, i)
  d <- transform(d, grade = as.numeric(grade), receptor = as.numeric(receptor) - 1, two = subtype == "2", three = subtype == "3")
  glm(event ~ age + size + grade + receptor + two + three, binomial, d)
})))
complete.cases <- glm(event ~ age + size + grade + receptor + I(subtype == 2) + I(subtype == 3), binomial, cohort)
lines <- c(lines, row("complete cases", names(coef(complete.cases)), number(coef(complete.cases)), number(diag(vcov(complete.cases))), 0))
writeLines(lines, "simulated.csv")
print(lines)

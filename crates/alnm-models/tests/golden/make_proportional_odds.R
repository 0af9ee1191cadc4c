# MASS::polr on invented patients, without and with weights. Run beside this file:
#
#   apt-get install r-base r-cran-mass && Rscript make_proportional_odds.R
#
# Writes ordinal_cohort.csv (size, age, marker, nodes as 0 to 3, weight) and proportional_odds.csv: fit, term, estimate and
# standard error; the rows "deviance" hold the deviance, and "risk" the probability of the last category of the first patient.
suppressPackageStartupMessages(library(MASS))
set.seed(11)
n <- 140
cohort <- data.frame(size = round(rgamma(n, 4, 2), 2), age = round(rnorm(n, 55, 11)), marker = rbinom(n, 1, 0.35))
latent <- 0.9 * cohort$size - 0.03 * (cohort$age - 55) + 0.7 * cohort$marker + rlogis(n)
cohort$nodes <- findInterval(latent, c(1.6, 2.9, 4.1))
cohort$weight <- round(runif(n, 0.2, 2), 2)
write.csv(cohort, "ordinal_cohort.csv", row.names = FALSE, quote = FALSE)
cohort$outcome <- factor(cohort$nodes, ordered = TRUE)
lines <- paste0("# ", R.version.string, ", MASS ", packageVersion("MASS"))
number <- function(x) sprintf("%.17g", x)
describe <- function(name, fit) {
  estimates <- c(fit$coefficients, fit$zeta)
  errors <- sqrt(diag(vcov(fit)))
  risk <- predict(fit, cohort[1, ], type = "probs")[4]
  c(paste(name, names(estimates), number(estimates), number(errors), sep = ","),
    paste(name, "deviance", number(fit$deviance), "0", sep = ","), paste(name, "risk", number(risk), "0", sep = ","))
}
control <- list(reltol = 1e-16, maxit = 2000)
lines <- c(lines, describe("plain", polr(outcome ~ size + age + marker, cohort, Hess = TRUE, control = control)))
lines <- c(lines, describe("weighted", suppressWarnings(
  polr(outcome ~ size + age + marker, cohort, weights = weight, Hess = TRUE, control = control))))
writeLines(lines, "proportional_odds.csv")
print(lines)

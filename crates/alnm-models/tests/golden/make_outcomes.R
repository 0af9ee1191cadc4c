# Golden values of Cox regression, regression of counts and model updating.
#   Rscript make_outcomes.R        (in this folder; writes outcomes_*.csv)
# R 4.2.2, survival 3.5-3, MASS 7.3-58.2
suppressMessages({library(survival); library(MASS)})
set.seed(20260101)
n <- 160
size <- round(rnorm(n, 2.5, 1), 2)
score <- round(rnorm(n), 3)
receptor <- rbinom(n, 1, 0.4)
centre <- sample(1:3, n, TRUE)
weight <- sample(c(0.5, 1, 2), n, TRUE)
event_time <- rexp(n, exp(-3.2 + 0.4 * size + 0.5 * score - 0.6 * receptor))
censor_time <- rexp(n, 0.05)
time <- pmax(0.5, round(2 * pmin(event_time, censor_time)) / 2)   # many ties
event <- as.integer(event_time <= censor_time)
nodes <- rnegbin(n, exp(-0.8 + 0.45 * size - 0.4 * receptor), theta = 1.3)
examined <- sample(5:20, n, TRUE)
positive <- rbinom(n, 1, plogis(-2 + 0.7 * size + 0.6 * score))
old <- -1.2 + 0.4 * size + 0.2 * score
cohort <- data.frame(size, score, receptor, centre, weight, time, event, nodes, examined, positive, old)
write.csv(cohort, "outcomes_cohort.csv", row.names = FALSE, quote = FALSE)

out <- list()
put <- function(case, name, value) out[[length(out) + 1]] <<- data.frame(case, name, value = sprintf("%.17g", value))
tight <- coxph.control(eps = 1e-14, iter.max = 60, toler.chol = 1e-13)
cox <- function(case, formula, ties, weights = NULL) {
  fit <- if (is.null(weights)) coxph(formula, cohort, ties = ties, control = tight) else
    coxph(formula, cohort, ties = ties, control = tight, weights = weight)
  for (k in names(coef(fit))) {
    put(case, paste0("beta:", k), coef(fit)[[k]])
    # With weights that are no whole numbers, var is robust; naive.var is the inverse information.
    v <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
    put(case, paste0("se:", k), sqrt(diag(v))[[match(k, names(coef(fit)))]])
  }
  put(case, "loglik0", fit$loglik[1]); put(case, "loglik", fit$loglik[2]); put(case, "score", fit$score)
  base <- basehaz(fit, centered = FALSE)
  if (is.null(base$strata)) base$strata <- "s=0"
  for (i in seq_len(nrow(base))) {
    stratum <- as.integer(sub(".*=", "", base$strata[i]))
    put(case, sprintf("hazard:%d:%g", stratum, base$time[i]), base$hazard[i])
  }
}
cox("efron", Surv(time, event) ~ size + score + receptor, "efron")
cox("breslow", Surv(time, event) ~ size + score + receptor, "breslow")
cox("efron_weights", Surv(time, event) ~ size + score + receptor, "efron", TRUE)
cox("breslow_weights", Surv(time, event) ~ size + score + receptor, "breslow", TRUE)
cox("efron_strata", Surv(time, event) ~ size + score + strata(centre), "efron")
cox("breslow_strata", Surv(time, event) ~ size + score + strata(centre), "breslow")

glm_tight <- glm.control(epsilon = 1e-14, maxit = 200)
count <- function(case, fit) {
  # Standard errors at the optimum; summary uses the weights of the last iteration but one.
  mu <- fitted(fit); w <- if (is.null(fit$theta)) mu else mu / (1 + mu / fit$theta)
  x <- model.matrix(fit); se <- sqrt(diag(solve(crossprod(x * sqrt(w)))))
  for (k in names(coef(fit))) { put(case, paste0("beta:", k), coef(fit)[[k]]); put(case, paste0("se:", k), se[[k]]) }
  put(case, "loglik", as.numeric(logLik(fit))); put(case, "aic", AIC(fit))
  put(case, "deviance", fit$deviance); put(case, "null_deviance", fit$null.deviance)
  if (!is.null(fit$theta)) {
    # theta.ml stops before its optimum, and its error is of the step before.
    theta <- as.numeric(theta.ml(fit$y, mu, limit = 100, eps = 1e-15)); y <- fit$y
    put(case, "theta", theta)
    put(case, "theta_se", 1 / sqrt(sum(-trigamma(theta + y) + trigamma(theta) - 1 / theta + 2 / (mu + theta) -
      (y + theta) / (mu + theta)^2)))
  }
}
count("poisson", glm(nodes ~ size + receptor, poisson, cohort, control = glm_tight))
count("poisson_offset", glm(nodes ~ size + receptor + offset(log(examined)), poisson, cohort, control = glm_tight))
count("negative_binomial", glm.nb(nodes ~ size + receptor, cohort, control = glm_tight))
count("negative_binomial_offset", glm.nb(nodes ~ size + receptor + offset(log(examined)), cohort, control = glm_tight))

# The closed test of Vergouwe et al. (2017) from glm's log likelihoods.
f0 <- sum(dbinom(positive, 1, plogis(old), log = TRUE))
f1 <- logLik(glm(positive ~ 1 + offset(old), binomial, control = glm_tight))
f2 <- logLik(glm(positive ~ old, binomial, control = glm_tight))
f3 <- logLik(glm(positive ~ size + score, binomial, control = glm_tight))
put("updating", "loglik:unchanged", f0); put("updating", "loglik:intercept", f1)
put("updating", "loglik:recalibration", f2); put("updating", "loglik:refit", f3)
put("updating", "p:unchanged", pchisq(2 * (f3 - f0), 3, lower.tail = FALSE))
put("updating", "p:intercept", pchisq(2 * (f3 - f1), 2, lower.tail = FALSE))
put("updating", "p:recalibration", pchisq(2 * (f3 - f2), 1, lower.tail = FALSE))

write.table(do.call(rbind, out), "outcomes_expected.csv", sep = ",", row.names = FALSE, quote = FALSE)

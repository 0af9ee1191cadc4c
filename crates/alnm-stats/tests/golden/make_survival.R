# Golden values of survival curves and of performance under censoring.
#   Rscript make_survival.R        (in this folder; writes survival_cohort.csv and survival_expected.csv)
# R 4.2.2, survival 3.5-3, riskRegression 2022.11.28
suppressMessages({library(survival); library(riskRegression); library(prodlim)})
set.seed(20260202)
n <- 150
out <- list()
put <- function(case, name, value) out[[length(out) + 1]] <<- data.frame(case, name, value = sprintf("%.17g", value))
x <- rnorm(n)
event_time <- rexp(n, 0.1 * exp(0.8 * x))
censor_time <- runif(n, 0, 25)
group <- sample(0:2, n, TRUE)
centre <- sample(0:1, n, TRUE)
exact <- round(pmin(event_time, censor_time), 6)
tied <- pmax(1, round(exact))
event <- as.integer(event_time <= censor_time)
risk <- round(1 - exp(-0.5 * exp(0.7 * x)), 2)     # with ties
risk10 <- round(plogis(-0.2 + 0.9 * x), 6)
cohort <- data.frame(exact, tied, event, group, centre, risk, risk10)
write.csv(cohort, "survival_cohort.csv", row.names = FALSE, quote = FALSE)

for (times in c("exact", "tied")) {
  cohort$time <- cohort[[times]]
  for (type in c("log", "log-log", "plain")) {
    s <- summary(survfit(Surv(time, event) ~ 1, cohort, conf.type = type), censored = TRUE)
    for (i in seq(1, length(s$time), by = if (times == "tied") 1 else 15)) {
      case <- paste0("km:", times, ":", type)
      put(case, sprintf("surv:%.17g", s$time[i]), s$surv[i]); put(case, sprintf("se:%.17g", s$time[i]), s$std.err[i])
      put(case, sprintf("lower:%.17g", s$time[i]), s$lower[i]); put(case, sprintf("upper:%.17g", s$time[i]), s$upper[i])
    }
    q <- quantile(survfit(Surv(time, event) ~ 1, cohort, conf.type = type), c(0.25, 0.5))
    for (k in 1:2) {
      p <- c("0.25", "0.5")[k]
      put(paste0("quantile:", times, ":", type), paste0("estimate:", p), q$quantile[k])
      put(paste0("quantile:", times, ":", type), paste0("lower:", p), q$lower[k])
      put(paste0("quantile:", times, ":", type), paste0("upper:", p), q$upper[k])
    }
  }
  d <- survdiff(Surv(time, event) ~ group, cohort)
  put(paste0("log_rank:", times), "chisq", d$chisq)
  for (g in 1:3) { put(paste0("log_rank:", times), paste0("expected:", g - 1), d$exp[g])
                   put(paste0("log_rank:", times), paste0("observed:", g - 1), d$obs[g]) }
  put(paste0("stratified:", times), "chisq", survdiff(Surv(time, event) ~ group + strata(centre), cohort)$chisq)
  h <- concordance(Surv(time, event) ~ risk, cohort, reverse = TRUE)
  put(paste0("harrell:", times), "c", h$concordance); put(paste0("harrell:", times), "se", sqrt(h$var))
  for (k in names(h$count)) put(paste0("harrell:", times), k, h$count[[k]])
  u <- concordance(Surv(time, event) ~ risk, cohort, reverse = TRUE, timewt = "n/G2")
  put(paste0("uno:", times), "c", u$concordance); put(paste0("uno:", times), "se", sqrt(u$var))
  u <- concordance(Surv(time, event) ~ risk, cohort, reverse = TRUE, timewt = "n/G2", ymax = 9.75)
  put(paste0("uno_horizon:", times), "c", u$concordance)
}
# Weights, area and Brier score by riskRegression.
cohort$time <- cohort$exact
at <- c(3, 6, 10)
risks <- cbind(risk10 * 0.5, risk10 * 0.8, risk10)
s <- suppressMessages(Score(list(model = risks), Surv(time, event) ~ 1, data = cohort, times = at, cens.model = "km",
  metrics = c("auc", "brier"), se.fit = TRUE, conf.int = TRUE, null.model = TRUE, summary = "ipa", contrasts = FALSE))
a <- as.data.frame(s$AUC$score); a <- a[a$model == "model", ]
b <- as.data.frame(s$Brier$score)
for (i in seq_along(at)) {
  put("score", paste0("auc:", at[i]), a$AUC[i]); put("score", paste0("auc_se:", at[i]), a$se[i])
  m <- b[b$model == "model" & b$times == at[i], ]; z <- b[b$model == "Null model" & b$times == at[i], ]
  put("score", paste0("brier:", at[i]), m$Brier); put("score", paste0("brier_se:", at[i]), m$se)
  put("score", paste0("null:", at[i]), z$Brier); put("score", paste0("ipa:", at[i]), m$IPA)
}
# Calibration at 6 in five groups, from survfit.
group5 <- cut(risk10, unique(quantile(risk10, 0:5 / 5)), include.lowest = TRUE, labels = FALSE)
for (g in 1:5) {
  k <- summary(survfit(Surv(time, event) ~ 1, cohort[group5 == g, ]), times = 6, extend = TRUE)
  put("calibration", paste0("observed:", g), 1 - k$surv); put("calibration", paste0("lower:", g), 1 - k$upper)
  put("calibration", paste0("upper:", g), 1 - k$lower); put("calibration", paste0("expected:", g), mean(risk10[group5 == g]))
}
k <- summary(survfit(Surv(time, event) ~ 1, cohort), times = 6)
put("calibration", "oe", (1 - k$surv) / mean(risk10))
put("calibration", "oe_upper", (1 - k$surv) / mean(risk10) * exp(qnorm(0.975) * k$std.err / (1 - k$surv)))
write.table(do.call(rbind, out), "survival_expected.csv", sep = ",", row.names = FALSE, quote = FALSE)

"""The human perceptual study: which of two pictures people find more realistic (Sec. 4.2).

- Making one: `study_file`, `definition`, `definition_checks`, `design`, `sources`, `regions`,
  `degraded`, `creation`, `study`.
- Collecting answers: `answers`, `store`, `store_errors`, `database`, `sitting`, `messages`, `page`,
  `wording`, `server`, `results`, `results_access`, `static/`; without a server `static_page`,
  `mturk`, `collected`.
- Analysing them: `judgments`, `trial_rules`, `exclusion`, `bootstrap`, `statistics`,
  `bradley_terry`, `logit_fit`, `exposure_curves`, `agreement`, `quality`, `analysis`, `power`.
- Trying it out: `simulation`, `client`.
"""

"""Published systems that predict performance at scale and are more than one formula over one table.

Every predictor has the manner of `sldagent.predictors.base.Predictor`; `sldagent.predictors.registry` finds them by name.
"""

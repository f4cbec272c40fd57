"""The search: Optuna proposes, cross-validation judges, and every trial is kept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

from ..errors import TrainingError
from ..spec.tabular_sections import TabularSpec
from .estimators import CLASSIFIERS, REGRESSORS, Estimator
from .features import Features
from .measuring import HIGHER_IS_BETTER, answers, mean_score
from .preparing import pipeline
from .targets import Targets
from .trials import Trial, TrialLog

_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
# Trials before pruning begins, beside the first one of each kind of model.
_WARM_UP = 3


@dataclass(frozen=True)
class Rows:
    """What is learnt from: columns, right answers (rows, targets), and what each row counts."""

    frame: Any
    expected: Any
    weights: Any | None

    def pick(self, places: Any) -> Rows:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[places]
        return Rows(self.frame.iloc[places], self.expected[places], weights)


@dataclass(frozen=True)
class Search:
    """What the search works with."""

    spec: TabularSpec
    features: Features
    targets: Targets
    threads: int

    @property
    def metric(self) -> str:
        """The figure that decides, by the spec's name."""
        return str(self.spec.model_dump()["training"]["metric"])

    @property
    def direction(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.metric in HIGHER_IS_BETTER else -1

    def best(self, trials: list[Trial]) -> Trial:
        """The best of complete trials."""
        return max(trials, key=lambda trial: self.direction * trial.score)

    def build(self, name: str, settings: dict[str, Any]) -> Any:
        """An untrained pipeline."""
        model = self._kinds[name].build(settings, seed=self.spec.search.seed, threads=self.threads)
        return pipeline(self._for_all_targets(model), self.features, self.spec.search)

    def build_stack(self, trials: list[Trial]) -> Any:
        """The best of each kind together, weighed by a linear model on answers of their folds."""
        parts = []
        for trial in trials:
            kind = self._kinds[trial.estimator]
            model = kind.build(trial.settings, seed=self.spec.search.seed, threads=self.threads)
            parts.append((trial.estimator, model))
        folds = self.spec.search.folds
        stack: Any
        if self.targets.classes:
            stack = StackingClassifier(parts, LogisticRegression(max_iter=2000), cv=folds)
        else:
            stack = StackingRegressor(parts, RidgeCV(), cv=folds)
        return pipeline(self._for_all_targets(stack), self.features, self.spec.search)

    def fit(self, model: Any, rows: Rows) -> Any:
        """Train a pipeline.

        Parts of a forest or of several targets are trained at once. Nothing predicts at once:
        threads would add up a forest's answers in another order each time.
        """
        jobs = 1 if self.spec.stacking else self.threads
        expected = rows.expected if len(self.targets.names) > 1 else rows.expected[:, 0]
        given = {} if rows.weights is None else {"model__sample_weight": rows.weights}
        with warnings.catch_warnings(), joblib.parallel_config("threading", n_jobs=jobs):
            warnings.simplefilter("ignore")
            return model.fit(rows.frame, expected, **given)

    def folds(self, rows: Rows) -> Iterator[tuple[Any, Any]]:
        """The rows trained on and measured of each fold, the same in every trial."""
        search = self.spec.search
        one_choice = bool(self.targets.classes) and len(self.targets.names) == 1
        kind = StratifiedKFold if one_choice else KFold
        folds = kind(search.folds, shuffle=True, random_state=search.seed)
        with warnings.catch_warnings():
            # A class with fewer rows than folds is told of by the check of the rows.
            warnings.simplefilter("ignore")
            yield from folds.split(rows.frame, rows.expected[:, 0])

    def judge(self, model: Any, rows: Rows) -> Iterator[float]:
        """The figure of each fold."""
        for train, measured in self.folds(rows):
            trained = self.fit(model, rows.pick(train))
            part = rows.pick(measured)
            yield mean_score(part.expected, answers(trained, part.frame, self.targets), self.metric)

    @property
    def _kinds(self) -> dict[str, Estimator]:
        return CLASSIFIERS if self.targets.classes else REGRESSORS

    def _for_all_targets(self, model: Any) -> Any:
        if len(self.targets.names) == 1:
            return model
        return MultiOutputClassifier(model) if self.targets.classes else MultiOutputRegressor(model)

    # -- proposals -----------------------------------------------------------------------------

    def propose(self, log: TrialLog) -> tuple[optuna.Trial, str, dict[str, Any]]:
        """The next combination; it depends on the seed and the trials before it alone.

        The study is made anew from what is kept, so a resumed search proposes what an
        uninterrupted one would have.
        """
        names = list(self.spec.estimators)
        number = len(log.trials)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self.spec.search.seed + number),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=len(names) + _WARM_UP),
        )
        for trial in log.trials:
            study.add_trial(self._replayed(trial))
        if number < len(names):
            kind = self._kinds[names[number]]
            first = {f"{names[number]}.{key}": value for key, value in kind.defaults.items()}
            study.enqueue_trial({"estimator": names[number], **first})
        asked = study.ask()
        name = asked.suggest_categorical("estimator", names)
        settings = {
            key: _suggest(asked, f"{name}.{key}", distribution)
            for key, distribution in self._kinds[name].space.items()
        }
        return asked, name, settings

    def _replayed(self, trial: Trial) -> optuna.trial.FrozenTrial:
        names = list(self.spec.estimators)
        space = self._kinds[trial.estimator].space
        values = {f"{trial.estimator}.{key}": value for key, value in trial.settings.items()}
        return optuna.trial.create_trial(
            state=_STATES[trial.state],
            value=self.direction * trial.score if trial.state == "complete" else None,
            params={"estimator": trial.estimator, **values},
            distributions={
                "estimator": optuna.distributions.CategoricalDistribution(names),
                **{f"{trial.estimator}.{key}": each for key, each in space.items()},
            },
            intermediate_values={
                fold: self.direction * value for fold, value in enumerate(trial.scores)
            },
        )


def run_search(search: Search, rows: Rows, log: TrialLog, tell: Callable[[Trial], None]) -> None:
    """Try combinations until there are enough or the time is over.

    Args:
        tell: called with every trial once it is kept.

    Raises:
        TrainingError: not one trial could be trained.
    """
    settings = search.spec.search
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    while len(log.trials) < settings.num_trials:
        if log.complete() and sum(each.seconds for each in log.trials) >= settings.time_limit:
            break
        trial = _try(search, rows, log)
        log.add(trial)
        tell(trial)
    if not log.complete():
        reasons = [trial.reason for trial in log.trials if trial.reason]
        raise TrainingError(
            f"None of {len(log.trials)} trials could be trained: {reasons[-1] if reasons else ''}",
            hint="Try other model.estimators, or fewer training.folds.",
        )


def _try(search: Search, rows: Rows, log: TrialLog) -> Trial:
    asked, name, settings = search.propose(log)
    begun = time.monotonic()
    scores: list[float] = []
    reason = ""
    pruned = False
    try:
        for fold, value in enumerate(search.judge(search.build(name, settings), rows)):
            if not np.isfinite(value):
                raise ValueError(f"{search.metric} cannot be told in fold {fold + 1}")
            scores.append(value)
            asked.report(search.direction * value, fold)
            last = fold + 1 == search.spec.search.folds
            if search.spec.search.prune and not last and asked.should_prune():
                pruned = True
                break
    except (ValueError, ArithmeticError, RuntimeError, TypeError) as error:
        # One combination that cannot be trained says nothing about the others.
        reason = f"{name}: {str(error).strip().splitlines()[0]}"
    return Trial(
        number=len(log.trials) + 1,
        estimator=name,
        settings=settings,
        scores=scores,
        state="failed" if reason else "pruned" if pruned else "complete",
        seconds=time.monotonic() - begun,
        reason=reason,
    )


def _suggest(trial: optuna.Trial, name: str, distribution: Any) -> Any:
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    return trial.suggest_categorical(name, distribution.choices)

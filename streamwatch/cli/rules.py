"""The commands that try rules: on made scores, on logged ones."""

from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.options import RulesOption
from streamwatch.cli.outcome import EXIT_FAILED, fail, fail_without_matplotlib
from streamwatch.errors import StreamwatchError

__all__ = ["add_commands", "backtest", "explain", "test_rules"]

rules_app = typer.Typer(name="rules", help="Try rules: on made scores, on logged ones.", no_args_is_help=True)

SiteOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A configuration whose cameras and zones rules may name too.")
]
ScoresOption = Annotated[Path, typer.Option("--scores", help="A score log: <data_dir>/scores.")]


def add_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    app.add_typer(rules_app)


@rules_app.command("test")
def test_rules(
    files: Annotated[list[Path], typer.Argument(help="NAME.test.yml, or folders of such files.")],
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the outcome into this file, as XML.")] = None,
) -> None:
    """Play scores at simulated times to rules, and compare the incidents with those expected."""
    from streamwatch.rules.junit import passed, report
    from streamwatch.rules.loading import run_suites

    try:
        verdicts = run_suites(files, junit)
    except StreamwatchError as error:
        fail(error)
    print("\n".join(report(verdicts)))
    if not passed(verdicts):
        raise typer.Exit(EXIT_FAILED)


@rules_app.command()
def backtest(
    scores: ScoresOption,
    rules: RulesOption = None,
    against: Annotated[list[Path] | None, typer.Option("--against", help="Rules in force, to compare with.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only the last, such as 30d, of the log.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="CSV: camera,start_s,end_s,label.")] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Try each rule with other thresholds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report, alerts too, here.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the sweep into this file.")] = None,
    clips: Annotated[Path | None, typer.Option("--clips", help="<data_dir>/evidence: name what overlaps.")] = None,
    config: SiteOption = None,
) -> None:
    """Replay score logs through rules: what would fire, when and where."""
    from streamwatch import backtest as library
    from streamwatch.config import load_config
    from streamwatch.evidence.links import add_links
    from streamwatch.plan import shipped_rules
    from streamwatch.progress import progress
    from streamwatch.report import backtest_lines
    from streamwatch.sweep import draw_sweep

    try:
        with progress("the log") as show:
            log = library.ScoreFolder(scores, progress=show, site=load_config(config) if config else None)
            log = log if since is None else log.last(library.parse_since(since))
            truths = library.read_truth(truth) if truth is not None else ()
            swept = sweep or plot is not None
            report = library.backtest(log, rules or [shipped_rules()], against or (), truths, swept)
        if clips is not None:
            add_links(report["incidents"], clips)
        if json_file is not None:
            library.write_report(report, json_file)
        if plot is not None:
            draw_sweep(report["sweep"], plot)
    except StreamwatchError as error:
        fail(error)
    except ModuleNotFoundError as error:
        fail_without_matplotlib(error)
    for line in backtest_lines(report):
        print(line)


@rules_app.command()
def explain(
    scores: ScoresOption,
    rule: Annotated[str, typer.Option("--rule", help="Its name.")],
    at: Annotated[str, typer.Option("--at", help="When: ISO 8601, or seconds as in the log.")],
    camera: Annotated[str | None, typer.Option("--camera", help="Where, if the rule watches several.")] = None,
    rules: RulesOption = None,
    config: SiteOption = None,
) -> None:
    """Say why a rule fired, or did not, at one time."""
    from streamwatch import backtest as library
    from streamwatch.config import load_config
    from streamwatch.plan import shipped_rules
    from streamwatch.progress import progress
    from streamwatch.report import explanation_lines

    try:
        moment = library.parse_at(at)
        with progress("the log") as show:
            log = library.ScoreFolder(scores, progress=show, site=load_config(config) if config else None)
            found = library.explain_rule(log, rules or [shipped_rules()], rule, camera, moment)
    except StreamwatchError as error:
        fail(error)
    for line in explanation_lines(found):
        print(line)
